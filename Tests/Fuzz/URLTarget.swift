@testable import WebSocketProtocol

/// The input is a URL that a user types and, behind a line end, a Location that a server redirects to.
func fuzzURL(_ bytes: UnsafeRawBufferPointer) {
    let parts = bytes.split(separator: UInt8(ascii: "\n"), maxSplits: 1, omittingEmptySubsequences: false)
        .map { String(decoding: $0, as: UTF8.self) }
    let (text, location) = (parts.first ?? "", parts.count > 1 ? parts[1] : "")
    checkPassword(text)
    let url: WebSocketURL
    do throws(WebSocketURL.ParseError) {
        url = try WebSocketURL(text)
    } catch {
        return requireClean("\(error)", "an error", limit: 4000)
    }
    check(url)
    do throws(WebSocketURL.ParseError) {
        checkRedirect(try url.resolve(location: location), from: url)
    } catch {
        requireClean("\(error)", "an error", limit: 4000)
    }
}

/// A URL fits a request, and what it reveals leads to the same place.
private func check(_ url: WebSocketURL) {
    require(url.target.utf8.first == UInt8(ascii: "/"), "the target \(url.target) has no slash")
    require(
        url.target.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "#") },
        "the target \(url.target) fits no request line")
    require(url.hostField.utf8.allSatisfy { (0x21...0x7E).contains($0) }, "the host \(url.hostField) fits no field")
    requireEqual(try? WebSocketURL(url.revealed), url, "a URL, written out and read")
    if let credentials = url.credentials {
        require(credentials.fieldValue.revealed.utf8.allSatisfy { (0x20...0x7E).contains($0) }, "credentials that fit no field")
    }
}

private func checkRedirect(_ redirect: WebSocketURL.Redirect, from base: WebSocketURL) {
    check(redirect.url)
    if case .unix = redirect.url.endpoint { requireEqual(redirect.url.endpoint, base.endpoint, "a redirect to a socket's path") }
    let isSame = redirect.url.endpoint == base.endpoint && redirect.url.isSecure == base.isSecure
    requireEqual(redirect.changesOrigin, !isSame, "whether the origin changes")
    requireEqual(redirect.dropsTLS, base.isSecure && !redirect.url.isSecure, "whether TLS is dropped")
}

/// A password put in front of the last `@` gets into no description and no error.
private func checkPassword(_ text: String) {
    let secret = "S3CR3T"
    // The scheme of a socket's path has no userinfo.
    guard !text.contains(secret), !text.lowercased().contains("unix"), let at = text.unicodeScalars.firstIndex(of: "@") else { return }
    let before = text.unicodeScalars[..<at]
    let authority = before.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false).last ?? before
    // Behind a path or query began, there is no userinfo.
    guard !authority.contains(where: { "/?#:".unicodeScalars.contains($0) }) else { return }
    let with = String(before) + ":" + secret + String(text.unicodeScalars[at...])
    do throws(WebSocketURL.ParseError) {
        let url = try WebSocketURL(with)
        guard let value = url.credentials?.fieldValue.revealed, let sent = try? Base64.decode(String(value.dropFirst("Basic ".count))),
            String(decoding: sent, as: UTF8.self).contains(secret)
        else { return }
        require(!"\(url)".contains(secret) && !String(reflecting: url).contains(secret), "the password is printed in \(url)")
        if let location = try? url.resolve(location: "http://elsewhere.example/"), location.changesOrigin {
            require(location.url.credentials == nil, "the password goes to another origin")
        }
    } catch {
        require(!"\(error)".contains(secret) && !String(reflecting: error).contains(secret), "the password is printed in: \(error)")
    }
}
