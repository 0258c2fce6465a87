//! The Go program that renders as step-ca does: built once, run for a batch of cases.

use std::fs::File;
use std::io::BufWriter;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use base64::Engine as _;
use serde_json::Value as Json;
use serde_json::json;

use crate::Outcome;
use crate::tools;

pub(crate) struct Reference {
    program: PathBuf,
    folder: tempfile::TempDir,
}

impl Reference {
    /// Builds the program; an error says what is missing.
    pub(crate) fn build() -> Result<Self, String> {
        let go = tools::find("go", &["version"])
            .or_else(|| Some(PathBuf::from("/usr/local/go/bin/go")).filter(|go| go.exists()))
            .ok_or("there is no `go`")?;
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("template_diff");
        let mut build = Command::new(go);
        build
            .args(["build", "-buildvcs=false", "-o"])
            .arg(&program)
            .arg(".")
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/template_diff/go"))
            .env("GOTOOLCHAIN", "local");
        let output = build.output().map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(format!("the reference does not build\n{}", tools::said(&output)));
        }
        Ok(Self { program, folder: tempfile::tempdir().map_err(|error| error.to_string())? })
    }

    /// Renders each template with its data.
    pub(crate) fn render(&self, cases: &[(String, Json)]) -> Vec<Outcome> {
        let path = self.folder.path().join("cases");
        let mut file = BufWriter::new(File::create(&path).unwrap());
        for (template, data) in cases {
            writeln!(file, "{}", json!({ "template": template, "data": data })).unwrap();
        }
        file.into_inner().unwrap();
        let mut program = Command::new(&self.program);
        // The functions that show times in the machine's own zone have to agree on one.
        let answers = tools::run(program.env("TZ", "UTC").stdin(File::open(&path).unwrap()));
        let outcomes: Vec<Outcome> = answers.lines().map(read).collect();
        assert_eq!(outcomes.len(), cases.len());
        outcomes
    }
}

fn read(line: &str) -> Outcome {
    let answer: Json = serde_json::from_str(line).unwrap();
    let text = |member: &str| answer[member].as_str().unwrap_or_default().to_owned();
    match answer["error"].as_str() {
        Some(error) => Outcome::Failed { stage: text("stage"), message: error.to_owned() },
        None => Outcome::Rendered(base64::prelude::BASE64_STANDARD.decode(text("output")).unwrap()),
    }
}
