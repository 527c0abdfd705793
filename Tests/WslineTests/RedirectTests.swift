import TestSupport
import Testing
import WebSocketProtocol
import WebSocketTransport

extension ProgramTests {
    @Suite struct RedirectTests {
        /// Redirects as `lead` says for a request's target, and else accepts, and sends what the client's credentials were.
        private func server(tls: TLSContext? = nil, _ lead: @escaping @Sendable (String) -> (Int, String)?) throws -> TestServer {
            try TestServer(tls: tls, accepts: false) { socket in
                socket.onRequest = { [unowned socket] handshake in
                    let request = handshake.request
                    if let (status, location) = lead(request.target) {
                        let field = try? HTTPHeaders.Field(name: "Location", value: location)
                        return socket.reject(status: status, reason: "Elsewhere", headers: [field].compactMap(\.self), body: "")
                    }
                    socket.accept()
                    let given = ["Authorization", "Cookie"].map { request.headers[$0] ?? "none" }.joined(separator: " ")
                    let others = ["X-Mine", "User-Agent", "Accept", "Accept-Language"].map { request.headers[$0] ?? "" }
                    try? socket.send("\(request.target) \(given) \(others.joined(separator: " "))")
                }
            }
        }

        private let credentials = ["--auth", "u:p", "-H", "Cookie: c=1", "-H", "X-Mine: yes"]

        @Test(
            "-L goes where the server leads, with the credentials as long as it is the same server", arguments: [301, 302, 303, 307, 308])
        func follows(status: Int) throws {
            let server = try server { ["/a/b?q": (status, "c"), "/a/c": (status, "/end")][$0] }
            let result = try run(["-L", "-1"] + credentials + [server.url + "a/b?q"])
            #expect(result.status == 0)
            #expect(result.output.hasPrefix("/end Basic dTpw c=1 yes "))
            #expect(result.errors == "redirected to \(server.url)a/c\nredirected to \(server.url)end\n")
        }

        @Test("Another server gets no header of -H but those that are known to be harmless, and no credentials")
        func otherServer() throws {
            let other = try server { _ in nil }
            let location = other.url.replacing("ws://", with: "http://") + "x"
            let first = try server { _ in (302, location) }
            let harmless = ["-H", "user-agent: mine", "-H", "Accept: a", "-H", "accept-language: de"]
            let result = try run(["-L", "-1"] + credentials + harmless + [first.url])
            #expect(result.status == 0)
            #expect(result.output == "/x none none  mine a de\n")
            #expect(
                result.errors
                    == "redirected to \(other.url)x\nnot sent there, as it is another server: Authorization, Cookie, X-Mine\n")
        }

        @Test("--json tells the URL that it ended at")
        func json() throws {
            let server = try server { $0 == "/" ? (302, "/end") : nil }
            let result = try run(["-L", "-1", "--json", server.url])
            #expect(result.output.contains("\"url\":\"\(server.url)end\""), "\(result.output)")
            #expect(!result.output.contains("\"event\":\"error\""))
        }

        @Test("Without -L a redirect is a refusal, with the way to follow it")
        func notFollowed() throws {
            let server = try server { _ in (301, "/end") }
            let result = try run([server.url])
            #expect(result.status == 6)
            #expect(
                result.errors.hasSuffix("wsline: HTTP failed: HTTP 301: the server redirects to \"/end\": try -L\n"), "\(result.errors)")
        }

        @Test("No more redirects are followed than allowed")
        func tooMany() throws {
            let server = try server { _ in (302, "/again") }
            let result = try run(["-L", "--max-redirects", "2", server.url])
            #expect(result.status == 6)
            #expect(
                result.errors.hasSuffix(
                    "wsline: can't follow the server's redirect: \(server.url)again would be one more than --max-redirects allows (2)\n"),
                "\(result.errors)")
        }

        @Test("wss is not left for ws, nor for anything that isn't WebSocket")
        func downgrade() throws {
            let plain = try TestServer.echo()
            let directory = try TemporaryDirectory()
            let certificate = try Certificate.localhost(issuer: try Certificate.authority(in: directory), in: directory)
            for (location, why) in [
                (plain.url, "\(plain.url) is not encrypted, as this connection is: give that URL if it is what you want"),
                ("file:///etc/passwd", ""),
            ] {
                let server = try server(tls: try context(certificate)) { _ in (302, location) }
                let result = try run(["-L", "-k", "wss://127.0.0.1:\(server.port)/"])
                #expect(result.status == 6)
                #expect(result.errors.contains("wsline: can't follow the server's redirect: \(why)"), "\(result.errors)")
            }
        }
    }
}
