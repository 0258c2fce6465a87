//! stepless: an embedded certificate authority that takes step-ca's place.
//!
//! Rooms, from the ground up; each may use only rooms on lower floors. docs/architecture.md says why.
//!
//! | floor | rooms |
//! | --- | --- |
//! | 0 | [`clock`], [`entropy`], [`duration`], [`json`], [`uri`], [`crypto`] |
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
#[cfg(all(doctest, feature = "server"))]
#[doc = include_str!("../README.md")]
struct Readme;
