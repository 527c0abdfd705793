@main
struct Wsline {
    static func main() {}
}
