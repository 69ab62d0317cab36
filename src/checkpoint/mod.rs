//! What survives a restart: bytes on disk that are whole or refused.
//!
//! Not what the bytes mean: whoever saves them says that, and decodes them again. A checkpoint is read as
//! it was written or not at all; no half of one is ever handed on.

pub mod codec;
pub mod seal;
pub mod store;
