//! The program: everything is in the library.

fn main() -> std::process::ExitCode {
    inference_exporter::command::main()
}
