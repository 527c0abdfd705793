import Testing

@testable import WebSocketProtocol

@Suite("Query values that are credentials, by their names")
struct QueryCredentialsTests {
    private func masked(_ text: String) -> String { CredentialMask().masked(text) }

    @Test(
        "a name is a credential's if one of its words is, in any case and however the words are joined",
        arguments: [
            "token", "TOKEN", "access_token", "accessToken", "AccessToken", "accesstoken", "id-token", "IDToken", "oauth2_token",
            "X-Amz-Security-Token",
            "key", "api_key", "apikey", "apiKey", "APIKEY", "APIKey", "x-api-key", "key1", "client_secret", "clientsecret", "password",
            "Passwd", "pwd",
            "user_pass", "passphrase", "signature", "X-Amz-Signature", "sig", "sign", "hmac", "auth", "authToken", "authorization",
            "auth[token]",
            "user.key", "jwt", "session", "session_id", "sessionid", "PHPSESSID", "JSESSIONID", "sid", "ticket", "otp", "X-Amz-Credential",
            "code",
            "Code", "bearer", "csrf_token",
        ])
    func credentials(name: String) {
        #expect(QueryCredentials.isCredential(name: name))
        #expect(masked("ws://h/?\(name)=x1&a=b") == "ws://h/?\(name)=***&a=b")
    }

    @Test(
        "words that only look like it are none",
        arguments: [
            "monkey", "keyword", "keys", "keyboard", "author", "authority", "country_code", "codec", "passage", "compass", "side", "sigma",
            "design",
            "signal", "tokenizer", "secretary", "id", "user", "room", "v", "", "hash", "EIO", "transport", "sessions",
        ])
    func others(name: String) {
        #expect(!QueryCredentials.isCredential(name: name))
        #expect(masked("ws://h/?\(name)=x1") == "ws://h/?\(name)=x1")
    }

    @Test(
        "only the value is masked, wherever in the query it stands, whatever is in it, and however its name is encoded",
        arguments: [
            ("/a?token=abc", "/a?token=***"), ("/?a=1&token=abc&b=2", "/?a=1&token=***&b=2"), ("/?token=a=b;c?d/e&x", "/?token=***&x"),
            ("/?%74oken=abc", "/?%74oken=***"), ("/?acc%65ss%5Ftoken=abc", "/?acc%65ss%5Ftoken=***"), ("/?api+key=abc", "/?api+key=***"),
            ("/?a=1;token=abc", "/?a=1;token=***"), ("/?token", "/?token"), ("/?token=", "/?token="),
            ("/?token=&key=a", "/?token=&key=***"),
            ("/?&&token=a", "/?&&token=***"), ("/?=token=a", "/?=token=a"), ("/token=abc", "/token=abc"), ("/?a=token", "/?a=token"),
            ("/?next=/x?token=abc&b=1", "/?next=/x?token=***&b=1"), ("/?next=%2Fx%3Ftoken%3Dabc&b=1", "/?next=***&b=1"),
            ("/?next=%2Fx%3Fa%3Db", "/?next=%2Fx%3Fa%3Db"), ("/?%zz=1&token=%zz", "/?%zz=1&token=***"),
            ("#access_token=abc", "#access_token=***"),
            (
                "see \"/?token=a b\" or <http://h/?key=c>; rel=next&token=d",
                "see \"/?token=*** b\" or <http://h/?key=***>; rel=next&token=d"
            ),
            ("?", "?"), ("", ""), ("/?a=%", "/?a=%"),
        ])
    func masks(text: String, shown: String) {
        #expect(masked(text) == shown)
    }

    @Test("it's quick on a long query")
    func long() {
        let text = "/?" + String(repeating: "a=%25253D;?&token=x&", count: 20_000)
        #expect(masked(text).hasSuffix("token=***&"))
    }
}
