import Testing

@testable import wsline

/// The configuration that a command line gives, or the failed expectation.
func configuration(
    _ arguments: [String], environment: [String: String] = [:], sourceLocation: SourceLocation = #_sourceLocation
) throws -> Configuration {
    guard case .run(let configuration) = try parseCommandLine(arguments, environment: environment) else {
        Issue.record("\(arguments) runs nothing", sourceLocation: sourceLocation)
        throw UsageFailure("runs nothing")
    }
    return configuration
}

/// The same for a URL with options before it.
func connecting(_ options: String..., sourceLocation: SourceLocation = #_sourceLocation) throws -> Configuration {
    try configuration(options + ["ws://localhost:8080/"], sourceLocation: sourceLocation)
}

/// What a command line is refused with.
func refusal(_ arguments: [String]) -> String? {
    do {
        _ = try parseCommandLine(arguments, environment: [:])
        return nil
    } catch {
        return error.message
    }
}

extension Configuration {
    /// The URL without its credentials, of a configuration that connects.
    var url: String? { if case .connect(let url) = mode { url.description } else { nil } }
}
