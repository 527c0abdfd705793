/// Query values whose names say that they are credentials, as `access_token=…` does.
enum QueryCredentials {
    /// Where they stand in a text that holds a URL, a request's target or a fragment, in order.
    static func ranges(in text: [UInt8]) -> [Range<Int>] { ranges(in: text, depth: 0) }

    /// The values themselves, as they are and percent-decoded.
    static func values(in target: String) -> [String] {
        let bytes = Array(target.utf8)
        return ranges(in: bytes).flatMap { range in
            let value = String(decoding: bytes[range], as: UTF8.self)
            return [value, PercentEncoding.decode(value) ?? value]
        }
    }

    private static func ranges(in text: [UInt8], depth: Int) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        var index = 0
        while let start = text[index...].firstIndex(where: isQueryStart) {
            index = start
            // Pair by pair, each after its `?`, `#`, `&` or `;`.
            while index < text.count, !endsURL(text[index]) {
                let name = text[(index + 1)...].prefix { !isSeparator($0) && !endsURL($0) && $0 != UInt8(ascii: "=") }
                index = name.endIndex
                guard index < text.count, text[index] == UInt8(ascii: "=") else { continue }
                // A `;` may be in a value, and a `?` in one that is a URL itself.
                let value = text[(index + 1)...].prefix { $0 != UInt8(ascii: "&") && $0 != UInt8(ascii: "#") && !endsURL($0) }
                if isCredential(name) || holdsCredential(value, depth) {
                    if !value.isEmpty { ranges.append(value.indices) }
                    index = value.endIndex
                } else {
                    index = value.firstIndex(where: isSeparator) ?? value.endIndex
                }
            }
        }
        return ranges
    }

    private static func isQueryStart(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "?") || byte == UInt8(ascii: "#") }
    private static func isSeparator(_ byte: UInt8) -> Bool { isQueryStart(byte) || byte == UInt8(ascii: "&") || byte == UInt8(ascii: ";") }
    /// No URL holds these (RFC 3986, appendix C): the text round it goes on.
    private static func endsURL(_ byte: UInt8) -> Bool { byte <= 0x20 || byte == 0x7f || "\"<>".utf8.contains(byte) }

    /// Whether a value is itself a URL or query, percent-encoded, with a credential in it.
    private static func holdsCredential(_ value: ArraySlice<UInt8>, _ depth: Int) -> Bool {
        guard depth < 2, value.contains(UInt8(ascii: "%")), let text = PercentEncoding.decode(String(decoding: value, as: UTF8.self)) else {
            return false
        }
        return !ranges(in: Array("?\(text)".utf8), depth: depth + 1).isEmpty
    }

    // MARK: Names

    private static func isCredential(_ name: ArraySlice<UInt8>) -> Bool {
        let text = String(decoding: name, as: UTF8.self)
        return isCredential(name: PercentEncoding.decode(text) ?? text)
    }

    /// Whether a parameter of that name holds a credential, by the words that the name is made of: `api_key`, `apiKey`, `X-Api-Key` and `APIKEY`
    /// do, `monkey` and `keyword` don't. `code` is one by itself, as OAuth has it (RFC 6749, section 4.1.2), and not in `country_code`.
    static func isCredential(name: String) -> Bool {
        if name.equalsIgnoringASCIICase("code") { return true }
        return words(of: name).contains { word in credentialWords.contains(word) || credentialEndings.contains { word.hasSuffix($0) } }
    }

    private static let credentialWords: Set<String> = [
        "assertion", "auth", "authentication", "authorization", "bearer", "cookie", "cred", "credential", "credentials", "creds", "csrf",
        "hmac",
        "jwt", "key", "oauth", "otp", "pass", "passcode", "passphrase", "pin", "pwd", "secrets", "session", "sid", "sig", "sign", "ticket",
        "tokens",
        "xsrf",
    ]

    /// Of words that are written as one.
    private static let credentialEndings = [
        "token", "secret", "password", "passwd", "signature", "sessid", "sessionid", "apikey", "accesskey", "authkey", "privatekey",
        "secretkey",
    ]

    /// The words in lower case: what isn't a letter parts them, and so does a capital after a small letter, or before one, so that `IDToken` is
    /// `id token`.
    private static func words(of name: String) -> [String] {
        let letters = Array(name.unicodeScalars)
        var words = [""]
        for (index, letter) in letters.enumerated() {
            let isCapital = letter.properties.isUppercase
            let followsSmall = index > 0 && letters[index - 1].properties.isLowercase
            let precedesSmall = index + 1 < letters.count && letters[index + 1].properties.isLowercase
            if !letter.properties.isAlphabetic || isCapital && (followsSmall || precedesSmall) { words.append("") }
            if letter.properties.isAlphabetic { words[words.count - 1] += letter.properties.lowercaseMapping }
        }
        return words
    }
}
