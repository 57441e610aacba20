/// The promotion's states as people see them.
enum PromotionTone {
    static func tone(_ state: String) -> Tone {
        switch state {
        case "live": .good
        case "blocked", "waiting", "awaitingApproval": .watch
        case "rejected", "failed", "rollbackFailed": .bad
        case "draft", "checking", "approved", "applying", "verifying", "rollingBack": .busy
        default: .idle
        }
    }
}
