//! The field Content-Type (RFC 2045, 5).

use super::lexer::Lexer;

/// A media type with its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaType {
    /// `type/subtype`, in lower case.
    pub essence: String,
    parameters: Vec<(String, String)>,
}

impl MediaType {
    /// Parameters that are read, at most.
    const MOST_PARAMETERS: usize = 32;

    /// Reads a field body; none where it does not name a type. Parameters count as far as they follow the grammar.
    pub fn parse(body: &str) -> Option<Self> {
        let mut lexer = Lexer::new(body);
        let mut word = || {
            lexer.skip_cfws().ok()?;
            let word = lexer.value().ok()?.to_ascii_lowercase();
            lexer.skip_cfws().ok()?;
            Some((word, lexer.take('/')))
        };
        let (kind, true) = word()? else { return None };
        let (subtype, _) = word()?;
        let mut parameters = Vec::new();
        while lexer.take(';') && parameters.len() < Self::MOST_PARAMETERS {
            let Some(parameter) = parameter(&mut lexer) else { break };
            parameters.push(parameter);
        }
        Some(Self { essence: format!("{kind}/{subtype}"), parameters })
    }

    /// The value of a parameter, whose name is given in lower case; of a repeated one the first counts.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether it is this type with this parameter, in any case.
    pub fn is(&self, essence: &str, name: &str, value: &str) -> bool {
        self.essence == essence && self.parameter(name).is_some_and(|found| found.eq_ignore_ascii_case(value))
    }
}

fn parameter(lexer: &mut Lexer<'_>) -> Option<(String, String)> {
    lexer.skip_cfws().ok()?;
    let name = lexer.value().ok()?.to_ascii_lowercase();
    lexer.skip_cfws().ok()?;
    if !lexer.take('=') {
        return None;
    }
    lexer.skip_cfws().ok()?;
    let value = lexer.value().ok()?;
    lexer.skip_cfws().ok()?;
    Some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_parameters() {
        let read = |body| MediaType::parse(body);
        let report = read(
            "Multipart/Report; report-type=\"delivery-status\" (RFC 3464);\n\tboundary=\"7C3B.1700000000/mx.example\"",
        );
        let report = report.unwrap();
        assert!(report.is("multipart/report", "report-type", "Delivery-Status"));
        assert_eq!(report.parameter("boundary"), Some("7C3B.1700000000/mx.example"));
        assert_eq!(read("text/calendar; method=REPLY; =x").unwrap().parameter("method"), Some("REPLY"));
        assert_eq!(read("text/plain").unwrap().essence, "text/plain");
        for body in ["", "text", "text/", "/plain", "text plain", "(", ";"] {
            assert_eq!(read(body), None, "{body}");
        }
        let many = format!("text/plain{}", "; a=b".repeat(100_000));
        assert_eq!(read(&many).unwrap().parameters.len(), MediaType::MOST_PARAMETERS);
    }
}
