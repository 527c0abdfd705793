import TestSupport
import Testing

/// Expects that the program held less memory at once than `bound`, in bytes. Under a sanitizer nothing is expected: its own memory, several times the
/// program's, counts too.
func expectPeakMemory(_ peak: Int?, below bound: Int, sourceLocation: SourceLocation = #_sourceLocation) {
    guard Sanitizer.current == nil else { return }
    #expect(peak ?? .max < bound, "\((peak ?? 0) >> 10) KiB", sourceLocation: sourceLocation)
}

extension Trait where Self == ConditionTrait {
    /// For a test that limits or measures a program's memory itself.
    static var limitsMemory: Self {
        .disabled(if: Sanitizer.current != nil, "a sanitizer reserves terabytes of address space, and holds more than the program")
    }
}
