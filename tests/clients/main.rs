//! The clients that smallstep gives its users, against a CA: the `step` command, and the client package for Go.
//!
//! Each scenario runs against stepless, and against step-ca, which shows that the scenario itself is right. Skipped
//! with a loud line where `step`, `go`, `openssl` or step-ca is missing; fails there under `STEPLESS_REQUIRE_STEP_CA=1`.
//!
//! The commands of `step ca`, and where they are used:
//!
//! | command | where |
//! | --- | --- |
//! | `bootstrap`, `health`, `root`, `roots`, `federation` | `reading.rs` |
//! | `provisioner list`, `provisioner jwe-key` | `reading.rs` |
//! | `token` | `issuing.rs`; with `--renew` `renewing.rs`; with `--revoke` `revoking.rs` |
//! | `certificate`, `sign` | `issuing.rs` |
//! | `renew`, `rekey` | `renewing.rs` |
//! | `revoke` | `revoking.rs` |
//! | `init` | none: makes files for a CA and asks none; `tests/contract/fixtures` began with it |
//! | `provisioner add`, `update`, `remove`, `webhook` | none: edit ca.json, or use the admin API; `editing.rs` edits with stepless |
//! | `acme`, `policy`, `admin` | none: use the admin API, which stepless does not have |
//! | `token --ssh`, `--sshpop-cert`, `--nebula-cert`, `--k8ssa-token-path`, `certificate --acme` and `--attestation-uri`, `--kms` | none: provisioners that stepless does not have, or hardware |
//! | `token --rekey` | none: without `--ssh` the command makes a token to sign with |

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;

mod editing;
mod go_client;
mod issuing;
mod reading;
mod renewing;
mod revoking;
mod setting;

/// Makes a test of each scenario against each CA.
macro_rules! scenarios {
    ($($room:ident::$scenario:ident),* $(,)?) => {
        mod with_stepless {
            $(#[test]
            fn $scenario() {
                crate::$room::$scenario(crate::common::ca::Kind::Stepless);
            })*
        }
        mod with_step_ca {
            $(#[test]
            fn $scenario() {
                crate::$room::$scenario(crate::common::ca::Kind::StepCa);
            })*
        }
    };
}

scenarios!(
    editing::edited_provisioners,
    go_client::go_client,
    reading::bootstrap,
    reading::roots,
    reading::provisioners,
    issuing::certificate,
    issuing::template_data,
    issuing::sign,
    issuing::tokens,
    issuing::grants,
    renewing::renew,
    renewing::rekey,
    renewing::daemon,
    renewing::expired,
    revoking::revoke,
);
