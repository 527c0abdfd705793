/// The fields of an HTTP head, in their order, repeated ones kept; names are compared without regard to ASCII case (RFC 9110, section 5).
public struct HTTPHeaders: Hashable, Sendable {
    public private(set) var fields: [Field]

    public init(_ fields: [Field] = []) { self.fields = fields }

    /// Fields that are known to be valid; those without a value are left out.
    init(trusted fields: [(name: String, value: String?)]) {
        self.fields = fields.compactMap { field in field.value.map { Field(trustedName: field.name, value: $0) } }
    }

    public mutating func append(_ field: Field) { fields.append(field) }

    public func contains(_ name: String) -> Bool { fields.contains { $0.isNamed(name) } }

    /// The value of the first field of that name.
    public subscript(name: String) -> String? { fields.first { $0.isNamed(name) }?.value }

    /// The values of all fields of that name, in order.
    public func values(of name: String) -> [String] { fields.lazy.filter { $0.isNamed(name) }.map(\.value) }

    /// The elements of all fields of that name, read as one comma-separated list, blanks round them and empty elements dropped
    /// (`#token`, RFC 9110, section 5.6.1). `nil` if one of them isn't a token.
    public func tokens(of name: String) -> [String]? {
        let elements = values(of: name).flatMap(\.listElements)
        return elements.allSatisfy(\.isHTTPToken) ? elements : nil
    }

    /// Whether one of the comma-separated elements of the fields of that name is `token`, in any ASCII case.
    public func contains(token: String, in name: String) -> Bool {
        values(of: name).flatMap(\.listElements).contains { $0.equalsIgnoringASCIICase(token) }
    }

    /// The scheme names of the challenges in the fields of that name (RFC 9110, section 11.6.1): the first word of each field, so that no
    /// parameter passes for one.
    package func authenticationSchemes(in name: String) -> [String] {
        let words = values(of: name).prefix(8).map { String($0.unicodeScalars.prefix { $0.isHTTPTokenCharacter }.prefix(40)) }
        return words.filter { !$0.isEmpty }
    }

    /// The same fields with the values of those that carry credentials replaced by `***`, for printing.
    public var redacted: HTTPHeaders {
        HTTPHeaders(fields.map { $0.isSensitive ? Field(trustedName: $0.name, value: "***") : $0 })
    }
}

extension HTTPHeaders {
    /// One field. Its name is a token and its value holds no control character but tab, so no field can smuggle in another.
    public struct Field: Hashable, Sendable {
        public let name: String
        /// The value's bytes as they are on the wire, without the blanks round them. Bytes from 0x80 up (obs-text) are kept.
        public let rawValue: [UInt8]

        /// The value as text: as UTF-8 if it is valid UTF-8, else byte for byte as Latin-1.
        public var value: String {
            String(validating: rawValue, as: UTF8.self) ?? String(String.UnicodeScalarView(rawValue.map { Unicode.Scalar($0) }))
        }

        /// Blanks round the value are dropped, since no recipient would see them.
        public init(name: String, value: String) throws(HTTPFieldError) {
            guard !name.isEmpty else { throw .emptyName }
            if let scalar = name.unicodeScalars.first(where: { !$0.isHTTPTokenCharacter }) { throw .invalidName(name, at: scalar) }
            if let byte = value.utf8.first(where: { !$0.isHTTPFieldContent }) { throw .invalidValue(name: name, byte: byte) }
            self.init(trustedName: name, value: value.trimmingBlanks)
        }

        /// Reads `Name: value` as a user writes it. The value may be empty, the colon may not be left out.
        public init(parsing line: String) throws(HTTPFieldError) {
            let scalars = line.unicodeScalars
            // Quoted is the first word alone: `Authorization Bearer x` holds a secret.
            guard let colon = scalars.firstIndex(of: ":") else { throw .missingColon(String(scalars.prefix { $0.isHTTPTokenCharacter })) }
            try self.init(name: String(scalars[..<colon]), value: String(scalars[colon...].dropFirst()))
        }

        init(trustedName name: String, value: String) { self.init(trustedName: name, rawValue: Array(value.utf8)) }

        init(trustedName name: String, rawValue: [UInt8]) {
            self.name = name
            self.rawValue = rawValue
        }

        public func isNamed(_ other: String) -> Bool { name.equalsIgnoringASCIICase(other) }

        /// Whether the value is a credential, which is never shown.
        public var isSensitive: Bool { ["authorization", "proxy-authorization", "cookie", "set-cookie"].contains { isNamed($0) } }

        /// Whether any server may see the value: it says what the client is and takes, not who asks.
        public var isHarmless: Bool {
            let name = name.asciiLowercased
            return name == "user-agent" || name == "accept" || name.hasPrefix("accept-")
        }
    }
}

extension HTTPHeaders.Field: CustomStringConvertible, CustomReflectable {
    /// `Name: value`, a credential as `***`.
    public var description: String { "\(name): \(isSensitive ? "***" : value)" }
    public var customMirror: Mirror { Mirror(self, children: ["name": name, "value": isSensitive ? "***" : value]) }
}

/// Why a name and value make no HTTP field. Values may be credentials and are not quoted.
public enum HTTPFieldError: Error, Hashable, Sendable, CustomStringConvertible {
    case missingColon(String)
    case emptyName
    case invalidName(String, at: Unicode.Scalar)
    case invalidValue(name: String, byte: UInt8)

    public var description: String {
        switch self {
        case .missingColon(let name):
            "the header \(name.quoted) has no colon: write it as 'Name: value', or 'Name:' for an empty value"
        case .emptyName: "the header has no name before its colon: write it as 'Name: value'"
        case .invalidName(let name, " ") where name.last == " ":
            "the header name \(name.quoted) has a blank before its colon, where none is allowed"
        case .invalidName(let name, let scalar):
            "the header name \(name.quoted) holds \(String(scalar).quoted): names are letters, digits and any of !#$%&'*+-.^_`|~"
        case .invalidValue(let name, let byte):
            "the value of the header \(name.quoted) holds \(byte.quoted): a value may hold no line end and no control character but tab"
        }
    }
}
