import SlipwayCore
import Testing

@Suite("Promotion windows")
struct PromotionWindowTests {
    private func time(_ text: String) throws -> Timestamp { try Timestamp(parsing: text) }

    @Test(
        "a window is open on its days, from its opening up to its closing, in its own time zone",
        arguments: [
            ("2026-11-23T08:00:00Z", true),  // Monday 09:00 in Berlin
            ("2026-11-23T07:59:59Z", false),
            ("2026-11-23T14:59:59Z", true),
            ("2026-11-23T15:00:00Z", false),
            ("2026-11-27T10:00:00Z", false),  // Friday
            ("2026-07-06T07:30:00Z", true),  // summer time: 09:30
            ("2026-07-06T06:30:00Z", false),
        ])
    func opens(text: String, isOpen: Bool) throws {
        #expect(try PromotionWindow(parsing: "Mon-Thu 09:00-16:00 Europe/Berlin").isOpen(at: time(text)) == isOpen)
    }

    @Test(
        "the next opening skips closed days and follows summer time",
        arguments: [
            ("2026-11-26T16:00:00Z", "2026-11-30T08:00:00.000Z"),
            ("2026-11-23T02:00:00Z", "2026-11-23T08:00:00.000Z"),
            ("2026-03-26T16:00:00Z", "2026-03-30T07:00:00.000Z"),
        ])
    func next(text: String, opening: String) throws {
        #expect(try PromotionWindow(parsing: "Mon-Thu 09:00-16:00 Europe/Berlin").nextOpening(after: time(text))?.iso8601 == opening)
    }

    @Test("days may be listed and wrap around the week")
    func days() throws {
        let window = try PromotionWindow(parsing: "Sat-Mon,Wed 00:00-24:00 UTC")
        let open = try ["21", "22", "23", "24", "25", "26"].map { window.isOpen(at: try time("2026-11-\($0)T12:00:00Z")) }
        #expect(open == [true, true, true, false, true, false])
    }

    @Test(
        "what is no window is refused with its part and an example",
        arguments: [
            "Mon-Thu 09:00-16:00", "Mon-Foo 09:00-16:00 UTC", "Mon 16:00-09:00 UTC", "Mon 9:00-16:00 UTC", "Mon 09:00-16:00 Europe/Atlantis",
        ])
    func refused(text: String) {
        #expect { try PromotionWindow(parsing: text) } throws: { ($0 as? SlipwayError)?.remedy?.contains("Mon-Thu 09:00-16:00") == true }
    }
}
