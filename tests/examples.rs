//! Every example of `MiniCa` runs to its end; their own assertions are the test.

#![expect(clippy::duplicate_mod, reason = "two examples share a listener, and each is a program of its own")]

use std::collections::BTreeSet;
use std::path::Path;

/// Runs `main` of each example, and names them.
macro_rules! examples {
    ($($name:ident $path:literal),* $(,)?) => {
        $(
            #[path = $path]
            mod $name;

            #[test]
            fn $name() -> Result<(), Box<dyn std::error::Error>> {
                $name::main()
            }
        )*

        const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

examples! {
    faults "../examples/faults.rs",
    reqwest_mtls "../examples/reqwest_mtls.rs",
    self_renewing "../examples/self_renewing.rs",
    tonic_mtls "../examples/tonic_mtls.rs",
}

#[test]
fn none_is_left_out() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            found.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    // Measures, and is run by hand: docs/performance.md.
    found.remove("load");
    assert_eq!(found, NAMES.iter().map(|name| (*name).to_owned()).collect());
    Ok(())
}
