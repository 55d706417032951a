//! The program; everything is in the library.

fn main() -> std::process::ExitCode {
    lockdown_milter::cli::main()
}
