import SlipwayCore

package struct ExecutionsPage: Sendable {
    package var frame: PageFrame
    package var executions: [Execution]
    /// Continues the list, nil at its end.
    package var older: SitePath?
    /// For the empty page's command.
    package var address: String

    package init(frame: PageFrame, executions: [Execution], older: SitePath?, address: String) {
        self.frame = frame
        self.executions = executions
        self.older = older
        self.address = address
    }
}

package struct ExecutionPage: Sendable {
    package struct Tail: Sendable {
        package var step: String
        package var text: String
        package init(step: String, text: String) {
            self.step = step
            self.text = text
        }
    }

    package var frame: PageFrame
    package var execution: Execution
    package var steps: [StepExecution]
    /// The last lines of the step that matters most: the one that failed, runs, or ran last.
    package var tail: Tail?

    package init(frame: PageFrame, execution: Execution, steps: [StepExecution], tail: Tail?) {
        self.frame = frame
        self.execution = execution
        self.steps = steps
        self.tail = tail
    }
}
