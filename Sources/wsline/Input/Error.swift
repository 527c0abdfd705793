/// What is wrong with the input, and where.
enum InputError: Error, Equatable {
    /// `byte` counts from 1 within the line, or message.
    case notUTF8(place: Place, byte: Int)
    /// Input cut by size has been cut between the bytes of a character.
    case cutCharacter(place: Place)
    case line(place: Place, String)
    case unreadable(String)

    /// What a piece of input is called to its writer, and its number from 1 on.
    struct Place: Equatable, CustomStringConvertible {
        var name: String
        var number: Int

        var description: String { "\(name) \(number)" }
    }
}

extension InputError: CustomStringConvertible {
    var description: String {
        switch self {
        case .notUTF8(let place, let byte): "input \(place), byte \(byte), isn't UTF-8"
        case .cutCharacter(let place): "input \(place) ends within a character"
        case .line(let place, let what): "input \(place): \(what)"
        case .unreadable(let why): "can't read standard input: \(why)"
        }
    }

    var exitStatus: ExitStatus { if case .unreadable = self { .localIO } else { .badInput } }

    var hint: String? {
        switch self {
        case .notUTF8: "-b sends the bytes as they are"
        case .cutCharacter: "-b sends the bytes as they are, --split whole sends them as one text"
        case .line, .unreadable: nil
        }
    }
}
