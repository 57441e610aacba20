import SlipwayCore

/// The types of MLflow's GraphQL answers. Fields are REST's in camelCase; int64 travels as text, what is unset as the type's zero.
enum GraphQLSchema {
    indirect enum Kind: Sendable {
        case text
        case long
        case float
        case bool
        /// A word, or null.
        case word
        case object(String)
        case list(Kind)
    }

    /// A line per type: `Name: field kind, …`; `s` text, `l` int64, `f` double, `b` bool, `e` a word of an enumeration, `[X]` a list.
    private static let text = """
        Test: output s
        TestMutation: output s
        ApiError: code e, message s
        Pair: key s, value s
        Experiment: experimentId s, name s, artifactLocation s, lifecycleStage s, lastUpdateTime l, creationTime l, tags [Pair]
        GetExperimentResponse: experiment Experiment, apiError ApiError
        Metric: key s, value f, timestamp l, step l, datasetName s, datasetDigest s, modelId s, runId s
        RunData: metrics [Metric], params [Pair], tags [Pair]
        RunInfo: runId s, runUuid s, runName s, experimentId s, userId s, status e, startTime l, endTime l, artifactUri s, lifecycleStage s
        Dataset: name s, digest s, sourceType s, source s, schema s, profile s
        DatasetInput: tags [Pair], dataset Dataset
        ModelInput: modelId s
        ModelOutput: modelId s, step l
        RunInputs: datasetInputs [DatasetInput], modelInputs [ModelInput]
        RunOutputs: modelOutputs [ModelOutput]
        Run: info RunInfo, data RunData, inputs RunInputs, outputs RunOutputs, experiment Experiment, modelVersions [ModelVersion]
        GetRunResponse: run Run, apiError ApiError
        SearchRunsResponse: runs [Run], nextPageToken s, apiError ApiError
        FileInfo: path s, isDir b, fileSize l
        ListArtifactsResponse: rootUri s, files [FileInfo], nextPageToken s, apiError ApiError
        GetMetricHistoryBulkIntervalResponse: metrics [Metric], apiError ApiError
        DatasetSummary: experimentId s, name s, digest s, context s
        SearchDatasetsResponse: datasetSummaries [DatasetSummary], apiError ApiError
        ModelParam: name s, value s
        ModelVersion: name s, version s, creationTimestamp l, lastUpdatedTimestamp l, userId s, currentStage s, description s, source s, runId s, status e, \
        statusMessage s, tags [Pair], runLink s, aliases [s], modelId s, modelParams [ModelParam], modelMetrics [Metric]
        SearchModelVersionsResponse: modelVersions [ModelVersion], nextPageToken s, apiError ApiError
        """

    static let types: [String: [String: Kind]] = Dictionary(
        uniqueKeysWithValues: text.split(separator: "\n").map { line in
            let parts = line.split(separator: ":")
            let fields = parts[1].split(separator: ",").map { field in
                let words = field.split(separator: " ")
                return (String(words[0]), kind(String(words[1])))
            }
            return (String(parts[0]), Dictionary(uniqueKeysWithValues: fields))
        })

    private static func kind(_ text: String) -> Kind {
        if text.hasPrefix("[") { return .list(kind(String(text.dropFirst().dropLast()))) }
        switch text {
        case "s": return .text
        case "l": return .long
        case "f": return .float
        case "b": return .bool
        case "e": return .word
        default: return .object(text)
        }
    }

    /// A field's value as GraphQL shows it, when it has no fields of its own.
    static func shown(_ value: JSONValue?, as kind: Kind) -> JSONValue {
        switch (kind, value) {
        case (.text, nil), (.text, .null?): .string("")
        case (.long, nil), (.long, .null?): .string("0")
        case (.long, .integer(let number)?): .string(String(number))
        case (.float, nil): .number(0)
        // A float of GraphQL is finite.
        case (.float, .string?): .null
        case (.bool, nil): .bool(false)
        case (.word, nil): .null
        case (_, let value?): value
        case (.object, nil), (.list, nil): .null
        }
    }

    /// `runId` → `run_id`
    static func wireName(_ name: String) -> String {
        name.reduce(into: "") { text, character in
            if character.isUppercase { text += "_" }
            text += character.lowercased()
        }
    }
}
