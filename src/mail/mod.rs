//! What RFC 5321, RFC 5322 and their companions talk about: values only, no I/O, no clock, no policy.
//!
//! Everything else in the crate stands on this module, and this module stands on nothing of ours.

pub mod address_list;
pub mod authres;
pub mod automatic;
pub mod disposition;
pub mod domain;
mod encoded_word;
pub mod header;
pub mod lexer;
pub mod local_part;
pub mod media_type;
pub mod message_id;
pub mod own_name;
pub mod path;
pub mod received;
pub mod received_spf;
pub mod reply;
pub mod report;
pub mod spf;
pub mod tagged;
pub mod text;
pub mod visible;
pub mod xtext;

pub use domain::Domain;
pub use header::{Edit, Field, Header};
pub use own_name::OwnName;
pub use path::{ForwardPath, Mailbox, PathError, ReversePath, Twofold};
pub use reply::Reply;
