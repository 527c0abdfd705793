// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .enableExperimentalFeature("Lifetimes"),
    .treatAllWarnings(as: .error),
]

// Elsewhere the compiler finds them by itself, and pkg-config's paths would come before those of `.ci/static-flags`.
#if os(macOS)
    let pkgConfig: (String) -> String? = { $0 }
#else
    let pkgConfig: (String) -> String? = { _ in nil }
#endif

let package = Package(
    name: "wsline",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "wsline", targets: ["wsline"]),
        .library(name: "WebSocketProtocol", targets: ["WebSocketProtocol"]),
        .library(name: "WebSocketTransport", targets: ["WebSocketTransport"]),
    ],
    targets: [
        .systemLibrary(
            name: "CLibEdit", pkgConfig: pkgConfig("libedit"),
            providers: [.apt(["libedit-dev"]), .brew(["libedit"])]),
        .systemLibrary(
            name: "COpenSSL", pkgConfig: pkgConfig("openssl"),
            providers: [.apt(["libssl-dev"]), .brew(["openssl@3"])]),
        .systemLibrary(
            name: "CPCRE2", pkgConfig: pkgConfig("libpcre2-8"),
            providers: [.apt(["libpcre2-dev"]), .brew(["pcre2"])]),
        .systemLibrary(
            name: "CZlib", pkgConfig: pkgConfig("zlib"),
            providers: [.apt(["zlib1g-dev"]), .brew(["zlib"])]),
        .target(name: "CPosix", swiftSettings: strict),
        .target(
            name: "WebSocketProtocol", dependencies: ["COpenSSL", "CPosix", "CZlib"],
            swiftSettings: strict),
        .target(
            name: "WebSocketTransport", dependencies: ["WebSocketProtocol", "COpenSSL", "CPosix"],
            swiftSettings: strict),
        .target(name: "LineTerminal", dependencies: ["CLibEdit", "CPosix"], swiftSettings: strict),
        .executableTarget(
            name: "wsline",
            dependencies: ["LineTerminal", "WebSocketTransport", "WebSocketProtocol", "CLibEdit", "COpenSSL", "CPCRE2", "CPosix", "CZlib"],
            swiftSettings: strict),
        .target(
            name: "TestSupport", dependencies: ["WebSocketTransport", "WebSocketProtocol", "CPosix"], path: "Tests/TestSupport",
            swiftSettings: strict),
        .testTarget(
            name: "WebSocketProtocolTests", dependencies: ["WebSocketProtocol", "CPosix", "TestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "WebSocketTransportTests", dependencies: ["WebSocketTransport", "CPosix", "TestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "LineTerminalTests", dependencies: ["LineTerminal", "CPosix", "LineEditorFixture", "TestSupport"],
            swiftSettings: strict),
        .executableTarget(
            name: "LineEditorFixture", dependencies: ["LineTerminal", "CPosix"], path: "Tests/LineEditorFixture",
            swiftSettings: strict),
        .testTarget(
            name: "WslineTests", dependencies: ["wsline", "WebSocketTransport", "CPosix", "TestSupport"],
            swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6]
)
