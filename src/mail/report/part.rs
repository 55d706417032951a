//! What a part of a multipart is, by its Content-Type.

use crate::mail::media_type::MediaType;

/// What a part is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing of interest.
    Other,
    /// A text for people (RFC 2045, 5.2: also what names no type).
    #[default]
    Text,
    /// A delivery status (RFC 3464, 2.1; RFC 6533, 4).
    Status,
    /// What became of a message that was delivered (RFC 8098, 3.1; RFC 6533, 5).
    Receipt,
    /// A returned message, or its header (RFC 6522, 4; RFC 6533, 3).
    Returned,
    /// A calendar object (RFC 6047, 2.4).
    Calendar,
    /// Parts within a part, and the line between them.
    Multipart(String),
}

impl Kind {
    /// Reads the body of the field Content-Type.
    pub(super) fn of(content_type: &str) -> Self {
        let Some(media_type) = MediaType::parse(content_type) else { return Self::Other };
        match media_type.essence.as_str() {
            "message/delivery-status" | "message/global-delivery-status" => Self::Status,
            "message/disposition-notification" | "message/global-disposition-notification" => Self::Receipt,
            "message/rfc822"
            | "message/global"
            | "message/rfc822-headers"
            | "message/global-headers"
            | "text/rfc822-headers" => Self::Returned,
            "text/calendar" => Self::Calendar,
            "text/plain" => Self::Text,
            _ => boundary(&media_type).map_or(Self::Other, Self::Multipart),
        }
    }
}

/// The line between the parts of a multipart (RFC 2046, 5.1.1).
pub(super) fn boundary(media_type: &MediaType) -> Option<String> {
    let boundary = media_type.parameter("boundary")?.trim_end();
    (media_type.essence.starts_with("multipart/") && !boundary.is_empty()).then(|| format!("--{boundary}"))
}
