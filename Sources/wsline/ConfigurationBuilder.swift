import WebSocketProtocol
import WebSocketTransport

/// Makes one configuration of the options that were given, or says which of them can't stand.
struct ConfigurationBuilder {
    let raw: RawOptions
    let environment: [String: String]

    func build() throws(UsageFailure) -> Configuration {
        try refuseContradictions()
        var configuration = Configuration(mode: try mode())
        configuration.connection = try connection()
        configuration.listening = try listening(configuration.connection)
        configuration.input = try input()
        configuration.stop = try stop()
        configuration.output = try output()
        configuration.terminal = TerminalOptions(historyFile: raw.history, keepsHistory: !raw.noHistory)
        configuration.echo = raw.echo
        configuration.asksPassphrase = raw.passphrase == ""
        try check(configuration.connection.handshake, in: configuration.mode)
        return configuration
    }

    // MARK: Where to

    private func mode() throws(UsageFailure) -> Configuration.Mode {
        let urls = raw.connect + raw.urls
        guard urls.count <= 1 else { throw Self.twoURLs(urls) }
        switch (raw.listen, urls.first) {
        case (let target?, nil):
            do throws(TransportError) {
                return .listen(try ListenTarget(parsing: target))
            } catch {
                throw UsageFailure(error.oneLine)
            }
        case (nil, let text?):
            do throws(WebSocketURL.ParseError) {
                return .connect(try WebSocketURL(text))
            } catch {
                throw UsageFailure(error.description)
            }
        case (nil, nil) where raw.demo: return .demo
        case (nil, nil): throw UsageFailure("no URL: give one, as in \"wsline wss://example.org/\"")
        case (_?, _?): throw UsageFailure("-l and a URL can't go together: wsline either listens or connects")
        }
    }

    /// A word that isn't quoted is the usual reason. Nothing with an @ is shown, since it may be a password.
    private static func twoURLs(_ urls: [String]) -> UsageFailure {
        let shown = urls.prefix(2).map { $0.contains("@") ? "one with a user" : $0.quoted }.joined(separator: " and ")
        return UsageFailure("more than one URL, \(shown): give one, and put quotes round a value that holds blanks")
    }

    /// Makes the request that will be made, with another key, so that no option is found wrong once the connection stands. The URL adds only
    /// what it has checked itself.
    private func check(_ options: ClientHandshake.Options, in mode: Configuration.Mode) throws(UsageFailure) {
        let url = if case .connect(let url) = mode { url } else { try? WebSocketURL("ws://localhost") }
        guard let url, let key = HandshakeKey([UInt8](repeating: 0, count: 16)) else { return }
        do throws(ClientHandshake.OptionsError) {
            _ = try ClientHandshake(url: url, key: key, options: options)
        } catch {
            throw UsageFailure(error.description, status: error == .sha1Unavailable ? .failure : .usage)
        }
    }

    // MARK: What to send, when to stop, what to show

    private func input() throws(UsageFailure) -> InputOptions {
        var input = InputOptions()
        input.split = try split() ?? (raw.nul ? .nul : .line)
        let short: InputOptions.Encoding? = raw.text ? .text : raw.binary ? .binary : nil
        let named: InputOptions.Encoding? = try choice("--send-as", raw.sendAs)
        if let named, let short, named != short {
            throw UsageFailure("--send-as \(named) and \(raw.text ? "-t" : "-b") contradict each other: give one of them")
        }
        input.encoding = named ?? short ?? .text
        input.isJSON = raw.jsonInput
        input.execute = raw.execute
        input.slash = raw.slash
        return input
    }

    private func split() throws(UsageFailure) -> InputOptions.Split? {
        switch raw.split {
        case nil: return nil
        case "line": return .line
        case "nul": return .nul
        case "whole": return .whole
        case let text?:
            guard let size = Int(size: text) else {
                throw UsageFailure("--split \(text.quoted) is none of line, nul, whole or a size such as 4096 or 64K")
            }
            return .size(size)
        }
    }

    private func stop() throws(UsageFailure) -> StopOptions {
        var stop = StopOptions()
        if raw.wait == "-1" {
            stop.wait = .untilClosed
        } else {
            stop.wait = try seconds("--wait", raw.wait, more: ", or -1 to wait until the server closes").map { .seconds($0) }
        }
        stop.idle = try seconds("--idle", raw.idle)
        stop.count = raw.oneMessage ? 1 : try count("--count", raw.count)
        stop.timeout = try seconds("--timeout", raw.timeout, positive: true)
        if let pattern = raw.until {
            do throws(Pattern.SyntaxError) {
                stop.until = try Pattern(pattern)
            } catch {
                throw UsageFailure("--until \(pattern.quoted) is not a valid regular expression: \(error.description)")
            }
        }
        if let text = raw.expectClose {
            guard let code = Int(decimal: text, in: 1000...4999) else {
                throw UsageFailure("--expect-close \(text.quoted) is no close code: give 1000 to 4999")
            }
            stop.expectedClose = CloseCode(UInt16(code))
        }
        return stop
    }

    private func output() throws(UsageFailure) -> OutputOptions {
        guard raw.verbose < 2 else { throw UsageFailure("-vv: showing each frame isn't there yet, use -v") }
        var output = OutputOptions()
        output.binaryAs = try choice("--binary-as", raw.binaryAs)
        output.save = raw.save
        output.endsInNUL = raw.nul
        output.isJSON = raw.json
        output.noColor = raw.noColor
        output.allowEscapes = raw.allowEscapes
        output.showsPings = raw.showPingPong
        output.timestamps = raw.timestamps
        output.verbosity = raw.verbose
        output.quiet = raw.quiet
        return output
    }
}

// MARK: Values

extension ConfigurationBuilder {
    /// - Parameters:
    ///   - positive: whether 0 makes no sense.
    ///   - more: what else may stand there.
    func seconds(
        _ option: String, _ text: String?, positive: Bool = false, more: String = ""
    ) throws(UsageFailure) -> Double? {
        guard let text else { return nil }
        guard let seconds = Double(seconds: text) else {
            throw UsageFailure("\(option) \(text.quoted) is no number of seconds: give one such as 5 or 0.25\(more)")
        }
        guard !positive || seconds >= .shortestSeconds else {
            throw UsageFailure("\(option) \(text.quoted) is too short: give at least \(Double.shortestSeconds) seconds")
        }
        return seconds
    }

    func count(_ option: String, _ text: String?) throws(UsageFailure) -> Int? {
        guard let text else { return nil }
        guard let count = Int(decimal: text, in: 1...Int(Int32.max)) else {
            throw UsageFailure("\(option) \(text.quoted) is no count: give a whole number from 1")
        }
        return count
    }

    func size(_ option: String, _ text: String?) throws(UsageFailure) -> Int? {
        guard let text else { return nil }
        guard let size = Int(size: text) else {
            throw UsageFailure("\(option) \(text.quoted) is no size: give bytes, or a number with K, M or G")
        }
        return size
    }

    func choice<Choice: RawRepresentable<String> & CaseIterable>(_ option: String, _ text: String?) throws(UsageFailure) -> Choice? {
        guard let text else { return nil }
        guard let choice = Choice(rawValue: text) else {
            let names = Choice.allCases.map(\.rawValue)
            throw UsageFailure("\(option) \(text.quoted) is none of \(names.dropLast().joined(separator: ", ")) or \(names.last ?? "")")
        }
        return choice
    }
}

extension TransportError {
    /// The message, with the hint behind it.
    var oneLine: String { hint.map { "\(message) (\($0))" } ?? message }
}
