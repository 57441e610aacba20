import Registry
import SlipwayCore
import Tracking

extension JSON {
    mutating func experiment(_ experiment: Experiment) {
        field("experiment_id", experiment.id)
        field("name", experiment.name)
        field("artifact_location", experiment.artifactLocation)
        field("lifecycle_stage", experiment.lifecycle.rawValue)
        field("last_update_time", experiment.updatedAt.milliseconds)
        field("creation_time", experiment.createdAt.milliseconds)
        pairs("tags", experiment.tags)
    }

    mutating func runInfo(_ run: Run) {
        field("run_uuid", run.id)
        field("experiment_id", run.experiment)
        field("run_name", run.name)
        field("user_id", run.user)
        field("status", run.status.rawValue)
        field("start_time", run.startedAt.milliseconds)
        field("end_time", run.endedAt?.milliseconds)
        field("artifact_uri", run.artifactRoot)
        field("lifecycle_stage", run.lifecycle.rawValue)
        field("run_id", run.id)
    }

    mutating func run(_ record: RunRecord) {
        field("info") { $0.runInfo(record.run) }
        field("data") { data in
            data.list("metrics", record.details.metrics) { $0.metric($1) }
            data.pairs("params", record.details.params)
            data.pairs("tags", record.details.tags)
        }
        field("inputs") { inputs in
            inputs.list("dataset_inputs", record.details.datasets) { $0.dataset($1) }
            inputs.list("model_inputs", record.details.inputs) { $0.field("model_id", $1.model) }
        }
        if !record.details.outputs.isEmpty {
            field("outputs") { outputs in
                outputs.list("model_outputs", record.details.outputs) { json, link in
                    json.field("model_id", link.model)
                    json.field("step", link.step)
                }
            }
        }
    }

    mutating func metric(_ point: MetricPoint, run: String? = nil) {
        field("key", point.key)
        field("value", point.value)
        field("timestamp", point.timestamp)
        field("step", point.step)
        field("model_id", point.model)
        field("dataset_name", point.datasetName)
        field("dataset_digest", point.datasetDigest)
        field("run_id", run)
    }

    private mutating func dataset(_ input: DatasetInput) {
        pairs("tags", input.tags)
        field("dataset") { dataset in
            dataset.field("name", input.name)
            dataset.field("digest", input.digest)
            dataset.field("source_type", input.sourceType)
            dataset.field("source", input.source)
            dataset.field("schema", input.schema)
            dataset.field("profile", input.profile)
        }
    }

    mutating func loggedModel(_ record: LoggedModelRecord) {
        let model = record.model
        field("info") { info in
            info.field("model_id", model.id)
            info.field("experiment_id", model.experiment)
            info.field("name", model.name)
            info.field("creation_timestamp_ms", model.createdAt.milliseconds)
            info.field("last_updated_timestamp_ms", model.updatedAt.milliseconds)
            info.field("artifact_uri", model.artifactRoot)
            info.field("status", model.status.rawValue)
            info.field("model_type", model.modelType)
            info.field("source_run_id", model.sourceRun)
            info.field("status_message", model.statusMessage)
            info.pairs("tags", record.details.tags)
            info.list("registrations", record.details.registrations) { json, registration in
                json.field("name", registration.name)
                json.field("version", String(registration.version))
            }
        }
        field("data") { data in
            data.pairs("params", record.details.params)
            data.list("metrics", record.details.metrics) { $0.metric($1.point, run: $1.run) }
        }
    }

    mutating func files(_ entries: [ArtifactEntry], below folder: String?) {
        list("files", entries) { json, entry in
            json.field("path", folder.map { "\($0)/\(entry.name)" } ?? entry.name)
            json.field("is_dir", entry.size == nil)
            json.field("file_size", entry.size)
        }
    }

    mutating func registeredModel(_ page: RegistryPage) {
        let model = page.model
        field("name", model.name)
        field("creation_timestamp", model.createdAt.milliseconds)
        field("last_updated_timestamp", model.updatedAt.milliseconds)
        field("description", model.description)
        list("latest_versions", page.latest) { $0.modelVersion($1) }
        pairs("tags", model.tags)
        list("aliases", model.aliases.sorted { $0.key < $1.key }) { json, alias in
            json.field("alias", alias.key)
            json.field("version", String(alias.value))
        }
    }

    mutating func modelVersion(_ version: ModelVersion) {
        field("name", version.name)
        field("version", String(version.version))
        field("creation_timestamp", version.createdAt.milliseconds)
        field("last_updated_timestamp", version.updatedAt.milliseconds)
        field("user_id", version.user)
        field("current_stage", version.currentStage)
        field("description", version.description ?? "")
        field("source", version.source)
        field("run_id", version.run ?? "")
        field("run_link", version.runLink ?? "")
        field("status", "READY")
        pairs("tags", version.tags)
        strings("aliases", version.aliases)
        field("model_id", version.loggedModel)
    }
}
