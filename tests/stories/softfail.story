# Softfail is accepted and recorded, and nobody shall answer it automatically.
client ADDR=192.0.2.66 NAME=dialup.forger.example
> EHLO dialup.forger.example
< 250 *
> MAIL FROM:<alice@softfail.example>
< 250 2.1.0 *
> RCPT TO:<info@local.test>
< 250 2.1.5 *
message
    From: alice@softfail.example
    Subject: hello

    Hello.
< 250 2.0.0 *
log event=message verdict=pass spf=*softfail*
delivered alice@softfail.example -> info@local.test
    Authentication-Results: mx.local.test; *spf=softfail smtp.mailfrom=softfail.example; *
    X-Auto-Response-Suppress: OOF, AutoReply
    Received: *
    From: alice@softfail.example
    Subject: hello

    Hello.
