# The delivered message has one Authentication-Results of ours, at the very top. Those that it was sent with and that
# claim to be ours are gone, however they are spelled; one of another host is kept.
client ADDR=192.0.2.10 NAME=mail.pass.example
> EHLO mail.pass.example
< 250 *
> MAIL FROM:<alice@pass.example>
< 250 2.1.0 *
> RCPT TO:<info@local.test>
< 250 2.1.5 *
message
    Authentication-Results: mx.local.test; spf=pass smtp.mailfrom=forged.example
    Authentication-Results: other.example; dkim=pass header.d=pass.example
    authentication-results: MX.Local.Test 1; dkim=pass header.d=forged.example
    Authentication-Results: (a comment) mx.local.test;
    	dmarc=pass header.from=forged.example
    Authentication-Results: "mx.local.test"; auth=pass
    From: Alice <alice@pass.example>
    To: info@local.test
    Subject: hello
    Date: Tue, 24 Nov 2026 12:00:00 +0000
    Message-ID: <1@pass.example>

    Authentication-Results: mx.local.test; this is the body
    .
    The end.
< 250 2.0.0 *
log event=message verdict=pass client=192.0.2.10 mail_from=alice@pass.example spf=*pass*
delivered alice@pass.example -> info@local.test
    Authentication-Results: mx.local.test; *spf=pass smtp.mailfrom=pass.example; *
    Received: from mail.pass.example (mail.pass.example [192.0.2.10]) by mx.local.test *
    Authentication-Results: other.example; dkim=pass header.d=pass.example
    From: Alice <alice@pass.example>
    To: info@local.test
    Subject: hello
    Date: Tue, 24 Nov 2026 12:00:00 +0000
    Message-ID: <1@pass.example>

    Authentication-Results: mx.local.test; this is the body
    .
    The end.
