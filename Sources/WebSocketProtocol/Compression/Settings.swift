/// How to compress: what to offer, and what only concerns our own side.
public struct PermessageDeflateSettings: Hashable, Sendable {
    public var parameters = PermessageDeflateParameters.defaultOffer
    /// zlib's compression level, 0 (store) to 9 (smallest). `nil` is zlib's own choice.
    var level: Int?
    /// Messages of fewer bytes than this are sent uncompressed. `nil` is the codec's own choice.
    var threshold: Int?

    public init() {}

    public enum ParseError: Error, Hashable, Sendable, CustomStringConvertible {
        case empty
        case unknownParameter(String)
        case repeatedParameter(String)
        case missingValue(String, expected: String)
        case unexpectedValue(String, value: String)
        case invalidValue(String, value: String, expected: String)

        public var description: String {
            switch self {
            case .empty: "no compression parameter is given, expected \(PermessageDeflateSettings.allNames)"
            case .unknownParameter(let name):
                "\(name.quoted) is not a compression parameter, expected \(PermessageDeflateSettings.allNames)"
            case .repeatedParameter(let name): "the compression parameter \(name) is given twice"
            case .missingValue(let name, let expected):
                "the compression parameter \(name) has no value, expected \(expected): write \(name)=VALUE"
            case .unexpectedValue(let name, let value): "the compression parameter \(name) takes no value, and has \(value.quoted)"
            case .invalidValue(let name, let value, let expected):
                "the compression parameter \(name) has the value \(value.quoted), expected \(expected)"
            }
        }
    }

    /// Reads the parameters as they are typed: `server_no_context_takeover`, `client_no_context_takeover`, `server_max_window_bits=N`,
    /// `client_max_window_bits[=N]`, `level=0…9`, `threshold=BYTES`, apart by commas, semicolons or blanks.
    ///
    /// If it names any of RFC 7692's parameters, those it names are all that is offered; else the offer is the default one.
    public init(parsing text: String) throws(ParseError) {
        self.init()
        var offer = PermessageDeflateParameters()
        var seen: Set<String> = []
        let separators: [UInt8] = [UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: " "), UInt8(ascii: "\t")]
        for item in text.utf8.split(whereSeparator: separators.contains) {
            let parts = item.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            let name = parts.first.map { String(decoding: $0, as: UTF8.self).asciiLowercased } ?? ""
            let value = parts.count > 1 ? String(decoding: parts[1], as: UTF8.self) : nil
            try set(name, value, offer: &offer)
            guard seen.insert(name).inserted else { throw .repeatedParameter(name) }
        }
        guard !seen.isEmpty else { throw .empty }
        if !seen.isSubset(of: ["level", "threshold"]) { parameters = offer }
    }

    private mutating func set(_ name: String, _ value: String?, offer: inout PermessageDeflateParameters) throws(ParseError) {
        switch name {
        case "level": level = try Self.number(name, value, in: 0...9, expected: "0 to 9")
        case "threshold": threshold = try Self.number(name, value, in: 0...Int(Int32.max), expected: "a number of bytes")
        default:
            guard let parameter = PermessageDeflateParameters.Name(rawValue: name) else { throw .unknownParameter(name) }
            do throws(PermessageDeflateError) {
                try offer.set(parameter, value, as: .offer)
            } catch {
                switch error {
                case .missingValue: throw .missingValue(name, expected: "8 to 15")
                case .unexpectedValue(_, let value): throw .unexpectedValue(name, value: value)
                default: throw .invalidValue(name, value: value ?? "", expected: "8 to 15")
                }
            }
        }
    }

    private static func number(
        _ name: String, _ value: String?, in range: ClosedRange<Int>, expected: String
    ) throws(ParseError) -> Int {
        guard let value else { throw .missingValue(name, expected: expected) }
        guard value.utf8.allSatisfy(\.isASCIIDigit), let number = Int(value), range.contains(number) else {
            throw .invalidValue(name, value: value, expected: expected)
        }
        return number
    }

    private static let allNames =
        (PermessageDeflateParameters.Name.allCases.map(\.rawValue) + ["level", "threshold"]).joined(separator: ", ")
}
