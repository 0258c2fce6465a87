//! stepless: an embedded certificate authority that takes step-ca's place.
//!
//! `MiniCa` (feature `embed`) is the whole of it inside a test:
//!
//! ```
//! # #[cfg(feature = "embed")]
//! # fn example() -> Result<(), stepless::mini::Error> {
//! use stepless::MiniCa;
//!
//! let ca = MiniCa::start_blocking()?; // or `MiniCa::start().await`
//! let leaf = ca.issue("db.example").sign()?;
//! let server = ca.rustls_server_config(["db.example"])?;
//! let client = ca.rustls_client_config_with(&leaf)?;
//! println!("{} {}", ca.url(), ca.root_fingerprint());
//! # drop((server, client));
//! # Ok(())
//! # }
//! # #[cfg(feature = "embed")]
//! # example().unwrap();
//! ```
//!
//! [`authority::Authority`] issues without a network, `http::router` is step-ca's routes, `client::CaClient` their
//! other side, [`config::Config`] what a `ca.json` or your own bytes say.
//!
//! Rooms, from the ground up; each may use only rooms on lower floors. docs/architecture.md says why.
//!
//! | floor | rooms |
//! | --- | --- |
//! | 0 | [`clock`], [`entropy`], [`hex`], [`duration`], [`json`], [`uri`], [`crypto`], `verifier` |
//! | 1 | [`jose`], [`x509`], [`template`] |
//! | 2 | [`wire`], [`token`], [`policy`], [`profile`], [`template_data`], [`signer`], [`store`] |
//! | 3 | [`config`] |
//! | 4 | [`provisioner`] |
//! | 5 | [`authority`] |
//! | 6 | `http`, `client` |
//! | 7 | `mini` |
//! | 8 | `cli` |

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod authority;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "client")]
pub mod client;
pub mod clock;
pub mod config;
pub mod crypto;
pub mod duration;
pub mod entropy;
pub mod hex;
#[cfg(feature = "server")]
pub mod http;
pub mod jose;
pub mod json;
#[cfg(feature = "embed")]
pub mod mini;
pub mod policy;
pub mod profile;
pub mod provisioner;
pub mod signer;
pub mod store;
pub mod template;
pub mod template_data;
pub mod token;
pub mod uri;
#[cfg(any(feature = "client", feature = "postgres", feature = "valkey"))]
mod verifier;
pub mod wire;
pub mod x509;

#[cfg(feature = "client")]
pub use client::CaClient;
#[cfg(feature = "embed")]
pub use mini::MiniCa;

/// The example in docs/gateway.md, compiled with the documentation tests.
#[cfg(all(doctest, feature = "client"))]
#[doc = include_str!("../docs/gateway.md")]
struct Gateway;

/// The example in README.md, compiled with the documentation tests.
#[cfg(all(doctest, feature = "embed"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// The examples in docs/embedding.md likewise.
#[cfg(all(doctest, feature = "embed"))]
#[doc = include_str!("../docs/embedding.md")]
struct Embedding;
