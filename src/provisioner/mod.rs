//! Who may ask for a certificate, with which claims.
//!
//! A [`Provisioner`] is made from its entry in ca.json; a [`Collection`] finds it for a token and lists
//! all of them for clients. CONTRACT.md sections 2, 4 and 5.

mod collection;
mod core;
mod draft;
mod extensions;
mod request;

pub use collection::Collection;
pub use collection::LimitError;
pub use collection::Page;
pub use core::Provisioner;
pub use core::State;
pub use draft::DraftRequest;
pub use draft::Error as DraftError;
pub use draft::Notes;
pub use draft::from_template;
pub use extensions::Error as ExtensionError;
pub(crate) use extensions::is_uuid;
pub use request::Error as RequestError;
