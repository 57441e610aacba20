import ArgumentParser
import AsyncHTTPClient
import Foundation
import NIOCore
import NIOPosix
import SlipwayCore
import SlipwayWire

/// Errors as people read them, and the exit code by kind (house-style §4).
enum Failure {
    static func leave(with error: any Error) -> Never {
        switch error {
        case let error as WireError:
            say(error.error.message, error.error.remedy, (error.error.reasons ?? []).map { ($0.message, $0.remedy) })
            exit(exitCode(error.error.code))
        case let error as SlipwayError:
            say(error.message, error.remedy, error.reasons.map { ($0.message, $0.remedy) })
            exit(exitCode(error.code.rawValue))
        case is HTTPClientError, is NIOConnectionError, is IOError, is ChannelError:
            say("The server does not answer (\(error)).", "Start it with 'slipway serve', or name another with --server or SLIPWAY_SERVER.", [])
            exit(exitCode("unavailable"))
        case is CancellationError:
            exit(130)
        default:
            Slipway.exit(withError: error)
        }
    }

    static func exitCode(_ code: String) -> Int32 {
        switch SlipwayError.Code(rawValue: code) {
        case .invalidArgument: 64
        case .unauthenticated, .notAllowed: 3
        case .notFound: 4
        case .alreadyExists, .conflict: 5
        case .blocked: 6
        case .tooMuch, .unavailable: 7
        case .internalFault, nil: 70
        }
    }

    private static func say(_ message: String, _ remedy: String?, _ reasons: [(String, String)]) {
        Output.note("Error: \(message)")
        for (message, remedy) in reasons { Output.note("  - \(message) \(remedy)") }
        if let remedy { Output.note("       \(remedy)") }
    }
}
