import WebSocketProtocol

/// Refuses options that contradict each other, or that would have no effect in the role they were given for.
struct Rules {
    private let given: Given

    init(_ given: Given) { self.given = given }

    func check() throws(UsageFailure) {
        for argument in given.options { try checkRole(of: argument) }
        for argument in given.options { for rule in argument.option.rules { try check(rule, of: argument) } }
    }

    /// Refuses one of the options, given while the program runs, if it would have no effect beside the others. Those that it contradicts it takes
    /// the place of.
    func check(change: Argument) throws(UsageFailure) {
        try checkRole(of: change)
        for argument in given.options {
            for rule in argument.option.rules where rule.concerns(change.option, from: argument.option) { try check(rule, of: argument) }
        }
    }

    private func checkRole(of argument: Argument) throws(UsageFailure) {
        guard !argument.option.roles.isSuperset(of: given.role) else { return }
        throw UsageFailure("\(argument.spelling) can't go with \(Self.reason(given.role, argument.option))")
    }

    private func check(_ rule: Rule, of argument: Argument) throws(UsageFailure) {
        switch rule {
        case .contradicts(let name, let when, let unless):
            guard when ?? argument.text == argument.text, let other = given.last(name), other.text != unless else { return }
            let one = when.map { "\(argument.spelling) \($0)" } ?? argument.spelling
            let another = unless == nil ? other.spelling : "\(other.spelling) \(other.text.escaped)"
            throw UsageFailure("\(one) and \(another) contradict each other: give one of them")
        case .excludes(let names, let unless, let reason):
            guard let other = names.compactMap(given.last).first(where: { $0.text != unless }) else { return }
            throw UsageFailure("\(argument.spelling) and \(other.spelling) can't go together: \(reason)")
        case .needs(let name, let roles, let reason):
            guard roles.isSuperset(of: given.role), given.last(name) == nil else { return }
            throw UsageFailure("\(argument.spelling) without \(name): \(reason)")
        }
    }

    private static func reason(_ role: Roles, _ option: Option) -> String {
        switch role {
        case .demo: "--demo: its server is inside this process"
        case .echo where option.roles.contains(.listen): "-l --echo: an echo server neither reads input nor shows messages"
        case .listen, .echo: "-l: it is for connecting"
        default: "a URL: it is for listening (-l)"
        }
    }
}
