//! What the template cases are judged with besides the renderer.

pub(crate) mod certificate;
