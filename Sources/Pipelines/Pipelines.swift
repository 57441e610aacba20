// Pipelines: Git repositories, the project file, and executions of its steps under supervision.
