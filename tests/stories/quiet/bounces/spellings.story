# However the sender is written: it is one mailbox.
client ADDR=192.0.2.10 NAME=mail.pass.example
> EHLO mail.pass.example
< 250 *
> MAIL FROM:<Alice@Fail.Example>
< 250 2.1.0 *
> RCPT TO:<Nobody+Tag@Strict.Test>
< 250 2.1.5 *
message
    From: Alice@Fail.Example
    Subject: hello

    Hello.
< 250 2.0.0 *
log event=message verdict=pass spf=mailfrom:fail*
log event=message verdict=discard check=bounces reason=bounce-unwanted mail_from=<> rcpt_to=Alice@fail.example
> MAIL FROM:<"alice smith"@fail.example>
< 250 2.1.0 *
> RCPT TO:<nobody@strict.test>
< 250 2.1.5 *
message
    From: alice@fail.example
    Subject: hello

    Hello.
< 250 2.0.0 *
log event=message verdict=pass spf=mailfrom:fail*
log event=message verdict=discard check=bounces reason=bounce-unwanted mail_from=<>
> MAIL FROM:<prvs=0123abcdef=alice@pass.example>
< 250 2.1.0 *
> RCPT TO:<nobody@strict.test>
< 250 2.1.5 *
message
    From: alice@pass.example
    Subject: hello

    Hello.
< 250 2.0.0 *
log event=message verdict=pass spf=mailfrom:pass*
log event=message verdict=pass check=bounces reason=bounce-wanted mail_from=<> rcpt_to=prvs=0123abcdef=alice@pass.example
delivered  -> prvs=0123abcdef=alice@pass.example
