import Testing

@testable import wsline
