# Senders may want no more than the header back (RFC 3461, 4.3).
client ADDR=192.0.2.10 NAME=mail.pass.example
> EHLO mail.pass.example
< 250 *
> MAIL FROM:<alice@fail.example> RET=HDRS
< 250 2.1.0 *
> RCPT TO:<nobody@strict.test>
< 250 2.1.5 *
message
    From: alice@fail.example
    Subject: hello

    Hello.
< 250 2.0.0 *
log event=message verdict=pass spf=mailfrom:fail*
log event=message verdict=discard check=bounces mail_from=<> rcpt_to=alice@fail.example
> MAIL FROM:<alice@pass.example> RET=HDRS
< 250 2.1.0 *
> RCPT TO:<nobody@strict.test>
< 250 2.1.5 *
message
    From: alice@pass.example
    Subject: hello

    Hello.
< 250 2.0.0 *
log event=message verdict=pass spf=mailfrom:pass*
log event=message verdict=pass check=bounces mail_from=<> rcpt_to=alice@pass.example
delivered  -> alice@pass.example
