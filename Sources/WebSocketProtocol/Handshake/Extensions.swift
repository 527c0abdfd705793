/// One extension with its parameters, as Sec-WebSocket-Extensions offers or accepts it (RFC 6455, section 9.1).
public struct WebSocketExtension: Hashable, Sendable, CustomStringConvertible {
    public struct Parameter: Hashable, Sendable {
        public var name: String
        /// Without quotes and escapes. `nil` if the parameter stands without `=`.
        public var value: String?

        public init(_ name: String, _ value: String? = nil) {
            self.name = name
            self.value = value
        }
    }

    public var name: String
    public var parameters: [Parameter]

    public init(_ name: String, _ parameters: [Parameter] = []) {
        self.name = name
        self.parameters = parameters
    }

    /// `name; parameter; parameter=value`, as in the header.
    public var description: String {
        parameters.reduce(into: name) { text, parameter in
            text += "; " + parameter.name + (parameter.value.map { "=" + $0 } ?? "")
        }
    }
}

/// The grammar of Sec-WebSocket-Extensions (RFC 6455, section 9.1).
public enum ExtensionHeader {
    /// Why a value isn't an extension list; `column` counts from 1.
    public struct ParseError: Error, Hashable, Sendable, CustomStringConvertible {
        public enum Reason: Hashable, Sendable {
            case emptyList, expectedExtensionName, expectedParameterName, expectedValue, expectedSeparator
            case unterminatedQuotedString
            /// A quoted value that is not a token once it is unescaped.
            case quotedValueIsNoToken
        }

        public var reason: Reason
        public var value: String
        public var column: Int

        public var description: String {
            let what =
                switch reason {
                case .emptyList: "lists no extension"
                case .expectedExtensionName: "has no extension name at column \(column)"
                case .expectedParameterName: "has no parameter name at column \(column)"
                case .expectedValue: "has no parameter value at column \(column)"
                case .expectedSeparator: "has something other than a comma or semicolon at column \(column)"
                case .unterminatedQuotedString: "has a quoted string from column \(column) that doesn't end"
                case .quotedValueIsNoToken: "has a quoted value at column \(column) that is not a token"
                }
            return "Sec-WebSocket-Extensions \(value.quoted) \(what)"
        }
    }

    /// The extensions of all header values, in order. Empty elements between commas are passed over, as RFC 2616's `1#` has it, but each value
    /// must list at least one extension.
    public static func parse(_ values: [String]) throws(ParseError) -> [WebSocketExtension] {
        var extensions: [WebSocketExtension] = []
        for value in values {
            var scanner = Scanner(value)
            let count = extensions.count
            try scanner.list(into: &extensions)
            guard extensions.count > count else { throw ParseError(reason: .emptyList, value: value, column: 1) }
        }
        return extensions
    }

    /// One header value that lists `extensions`.
    public static func serialize(_ extensions: [WebSocketExtension]) -> String {
        extensions.map(\.description).joined(separator: ", ")
    }

    private struct Scanner {
        private let text: String
        private let bytes: [UInt8]
        private var position = 0

        init(_ text: String) {
            self.text = text
            bytes = Array(text.utf8)
        }

        private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

        mutating func list(into extensions: inout [WebSocketExtension]) throws(ParseError) {
            while true {
                while take(UInt8(ascii: ",")) {}
                guard current != nil else { return }
                extensions.append(try element())
                guard current == nil || current == UInt8(ascii: ",") else { throw error(.expectedSeparator) }
            }
        }

        private mutating func element() throws(ParseError) -> WebSocketExtension {
            var result = WebSocketExtension(try token(.expectedExtensionName))
            while take(UInt8(ascii: ";")) {
                var parameter = WebSocketExtension.Parameter(try token(.expectedParameterName))
                if take(UInt8(ascii: "=")) {
                    parameter.value = current == UInt8(ascii: "\"") ? try quotedString() : try token(.expectedValue)
                }
                result.parameters.append(parameter)
            }
            return result
        }

        private mutating func token(_ reason: ParseError.Reason) throws(ParseError) -> String {
            let start = position
            while let byte = current, byte.isHTTPTokenCharacter { position += 1 }
            guard position > start else { throw error(reason) }
            return String(decoding: bytes[start..<position], as: UTF8.self)
        }

        private mutating func quotedString() throws(ParseError) -> String {
            let start = position
            var content: [UInt8] = []
            position += 1
            while let byte = current {
                position += 1
                switch byte {
                case UInt8(ascii: "\""):
                    let value = String(decoding: content, as: UTF8.self)
                    guard value.isHTTPToken else { throw error(.quotedValueIsNoToken, at: start) }
                    return value
                case UInt8(ascii: "\\"):
                    guard let escaped = current else { break }
                    content.append(escaped)
                    position += 1
                default: content.append(byte)
                }
            }
            throw error(.unterminatedQuotedString, at: start)
        }

        /// Skips a separator, and the blanks around it; returns whether it is there.
        private mutating func take(_ separator: UInt8) -> Bool {
            skipBlanks()
            guard current == separator else { return false }
            position += 1
            skipBlanks()
            return true
        }

        private mutating func skipBlanks() {
            while let byte = current, byte.isHTTPBlank { position += 1 }
        }

        private func error(_ reason: ParseError.Reason, at index: Int? = nil) -> ParseError {
            ParseError(reason: reason, value: text, column: (index ?? position) + 1)
        }
    }
}
