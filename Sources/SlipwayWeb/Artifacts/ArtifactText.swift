import Foundation
import SlipwayCore

/// Files as people read them: rows of a table, JSON on lines of its own. Pure, and bounded by what is given.
enum ArtifactText {
    /// The first rows of comma- or tab-separated text, with quotes as RFC 4180 has them.
    /// - Returns: at most `rowsMax` rows of `cellsMax` cells, and whether that is all.
    static func rows(_ text: String, separator: Character, rowsMax: Int, cellsMax: Int) -> (rows: [[String]], isWhole: Bool) {
        var rows: [[String]] = []
        var row: [String] = []
        var cell = ""
        var isQuoted = false
        var wasQuote = false
        func close() {
            if row.count < cellsMax { row.append(cell) }
            cell = ""
        }
        for character in text {
            if isQuoted {
                if wasQuote {
                    wasQuote = false
                    if character == "\"" { cell.append(character); continue }
                    isQuoted = false
                } else if character == "\"" {
                    wasQuote = true
                    continue
                } else {
                    cell.append(character)
                    continue
                }
            }
            switch character {
            case "\"" where cell.isEmpty: isQuoted = true
            case separator: close()
            case "\n", "\r\n", "\r":
                close()
                if row.count > 1 || row[0] != "" { rows.append(row) }
                row = []
                if rows.count == rowsMax { return (rows, false) }
            default: cell.append(character)
            }
        }
        if !cell.isEmpty || !row.isEmpty {
            close()
            rows.append(row)
        }
        return (rows, true)
    }

    /// JSON with a line per value; text, order and numbers stay as they are. What is no JSON comes out a little odd, never wrong.
    static func indented(_ json: String) -> String {
        var text = ""
        var depth = 0
        var isQuoted = false
        var isEscaped = false
        var isFresh = false
        func line() { text += "\n" + String(repeating: "  ", count: min(depth, 40)) }
        for character in json {
            if isQuoted {
                text.append(character)
                if isEscaped { isEscaped = false } else if character == "\\" { isEscaped = true } else if character == "\"" { isQuoted = false }
                continue
            }
            if character.isWhitespace { continue }
            if character == "}" || character == "]" {
                depth = max(0, depth - 1)
                if !isFresh { line() }
            } else if isFresh {
                line()
            }
            isFresh = false
            text.append(character)
            switch character {
            case "\"": isQuoted = true
            case "{", "[":
                depth += 1
                isFresh = true
            case ",": line()
            case ":": text += " "
            default: break
            }
        }
        return text
    }

    /// The table in `{"columns": […], "data": [[…]]}`, as `mlflow.log_table` writes it. - Returns: nil for any other JSON.
    static func table(_ json: String, rowsMax: Int) -> (head: [String], rows: [[String]], isWhole: Bool)? {
        // Not JSON, or not a table: shown as text.
        guard let value = try? CanonicalJSON.decode(JSONValue.self, from: json), let columns = value["columns"]?.array, let data = value["data"]?.array,
            !columns.isEmpty, columns.allSatisfy({ $0.string != nil }), data.allSatisfy({ $0.array?.count == columns.count })
        else { return nil }
        return (columns.compactMap(\.string), data.prefix(rowsMax).map { ($0.array ?? []).map(spelled) }, data.count <= rowsMax)
    }

    private static func spelled(_ value: JSONValue) -> String {
        switch value {
        case .null: ""
        case .string(let text): text
        case .bool(let value): String(value)
        case .integer(let value): String(value)
        case .number(let value): String(value)
        case .array, .object: (try? CanonicalJSON.text(value)) ?? ""  // was JSON a moment ago
        }
    }
}
