# Two read one message that does not pass SPF, and each answers. What leaves is what the domain of each allows.
client ADDR=192.0.2.10 NAME=mail.pass.example
> EHLO mail.pass.example
< 250 *
> MAIL FROM:<alice@softfail.example>
< 250 2.1.0 *
> RCPT TO:<away@strict.test>
< 250 2.1.5 *
> RCPT TO:<away@allow.test>
< 250 2.1.5 *
message
    From: alice@softfail.example
    To: away@strict.test, away@allow.test
    Message-ID: <both@softfail.example>
    Subject: hello

    Hello.
< 250 2.0.0 *
log event=message verdict=pass spf=mailfrom:softfail*
log event=message verdict=* mail_from=<> rcpt_to=alice@softfail.example
log event=message verdict=* mail_from=<> rcpt_to=alice@softfail.example
delivered  -> alice@softfail.example
    *
    From: <away@allow.test>
    *

    *
