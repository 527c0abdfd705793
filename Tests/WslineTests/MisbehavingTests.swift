import TestSupport
import Testing
import WebSocketProtocol
import WebSocketTransport

@testable import wsline

@Suite("Commands that misbehave on purpose", .eventLoop)
@EventLoop
struct MisbehavingTests {
    private func frame(_ argument: String) throws(CommandFailure) -> HandMadeFrame { try HandMadeFrame(argument[...]) }

    @Test("/frame alone is a valid, empty text frame")
    func defaults() throws {
        #expect(try frame("") == HandMadeFrame())
        #expect(HandMadeFrame().frame.bytes == [0x81, 0])
    }

    @Test("fields come in any order, each once, before the payload")
    func fields() throws {
        let given = try frame("len=300 op=ping  mask=37fa213d rsv=5 fin=0 text a  b=c ")
        #expect(given.mask == .key(0x3D21_FA37))
        #expect(given.frame.opcode == 9 && given.frame.reserved == 5 && !given.frame.isFinal && given.frame.claimedLength == 300)
        #expect(given.frame.payload == Array("a  b=c ".utf8))
        #expect(try frame("op=15 mask=none hex 00 ff").frame.payload == [0, 255])
        #expect(try frame("base64 AP8=").frame.payload == [0, 255])
        #expect(try frame("text").frame.payload == [])
        #expect(try frame("text  x").frame.payload == Array(" x".utf8))
        #expect(try frame("len=18446744073709551615").frame.claimedLength == .max)
    }

    @Test(
        "a wrong field is an error that names it and says what is right",
        arguments: [
            ("fin=2", "fin=2 must be 0 to 1"), ("rsv=8", "rsv=8 must be 0 to 7"), ("op=16", "op=16 must be one of text, binary"),
            ("op=", "op= must be one of"), ("mask=12", "mask=12 must be none, or the key's four bytes"), ("len=-1", "len=-1 must be 0 to"),
            ("fin=1 fin=0", "fin= was given twice"), ("hello", #""hello" is not a field"#), ("x=1", #""x" is not a field"#),
            ("hex 0", "hex: the digit at column 1 stands alone"), ("base64 ?", "base64: "), ("mask=\u{1b}[2Jxx", #"mask=\x1b[2Jxx must"#),
        ])
    func wrong(argument: String, error expected: String) {
        do throws(CommandFailure) {
            _ = try frame(argument)
            Issue.record("\(argument) was taken")
        } catch {
            #expect(error.description.hasPrefix(expected), "\(error)")
        }
    }

    @Test("Tab offers the fields that weren't given, and their values")
    func completion() {
        func complete(_ line: String) -> [String]? { Candidates.complete(line, line.unicodeScalars.count)?.candidates }
        #expect(complete("/frame ") == ["fin=", "rsv=", "op=", "mask=", "len=", "text ", "hex ", "base64 "])
        #expect(complete("/frame fin=0 r") == ["rsv="])
        #expect(complete("/frame op=p") == ["op=ping ", "op=pong "])
        #expect(complete("/frame op=ping f") == ["fin="])
        #expect(complete("/frame mask=") == ["mask=none "])
        #expect(complete("/frame op=ping o") == nil)
        #expect(complete("/frame text f") == nil)
        #expect(complete("/close! 100") == ["1004 ", "1005 ", "1006 "])
        #expect(complete("/pa") == ["/pause"])
    }

    @Test("a message that breaks a rule is sent, and the rule is named")
    func breach() throws {
        let run = try TestRun("--slash")
        run.peer.messageBreach = "RFC 6455, 5.4: because"
        try run.enter("hello")
        #expect(run.peer.texts == ["hello"])
        #expect(run.console.lines == ["sent, but it breaks RFC 6455, 5.4: because"])
    }

    @Test("/pause stops reading and says what that means, /resume, /close and the end go on")
    func pause() throws {
        let run = try TestRun("--slash")
        try run.enter("/resume")
        try run.enter("/pause")
        #expect(run.role.pauses == .command)
        try run.enter("/resume")
        #expect(run.role.pauses == [])
        #expect(run.console.lines.count == 3 && run.console.lines[1].contains("pings go unanswered"))
        try run.enter("/pause")
        run.run.finish(nil)
        #expect(run.role.pauses == [])
        let nobody = try TestRun("--slash", isAttached: false)
        #expect(throws: CommandFailure.self) { try nobody.enter("/pause") }
    }

    @Test("/close! takes any code of 16 bits and any reason")
    func close() throws {
        let run = try TestRun("--slash")
        try run.enter("/close! 1005")
        try run.enter("/close! 65535 \(String(repeating: "r", count: 200))")
        #expect(run.peer.frames.map(\.frame.opcode) == [8, 8])
        #expect(run.peer.frames.map(\.frame.payload) == [[0x03, 0xED], [0xFF, 0xFF] + [UInt8](repeating: 0x72, count: 200)])
        for wrong in ["/close!", "/close! x", "/close! 65536"] { #expect(throws: CommandFailure.self) { try run.enter(wrong) } }
    }
}
