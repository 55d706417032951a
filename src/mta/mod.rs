//! The mail server's own files and tables, read as the mail server reads them.

pub mod postfix;
pub mod sendmail;
