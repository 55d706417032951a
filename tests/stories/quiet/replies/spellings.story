# However sender and recipient are written, the answer is tied to the message: by its identifier, or else by the two.
client ADDR=192.0.2.10 NAME=mail.pass.example
> EHLO mail.pass.example
< 250 *
> MAIL FROM:<Alice@Softfail.Example>
< 250 2.1.0 *
> RCPT TO:<Away@Strict.Test>
< 250 2.1.5 *
message
    From: Alice@Softfail.Example
    To: Away@Strict.Test
    Subject: hello

    Hello.
< 250 2.0.0 *
log event=message verdict=pass spf=mailfrom:softfail*
log event=message verdict=discard check=auto_responders reason=auto-reply-unwanted mail_from=<> rcpt_to=Alice@softfail.example
> MAIL FROM:<alice@softfail.example>
< 250 2.1.0 *
> RCPT TO:<away@strict.test>
< 250 2.1.5 *
message
    From: alice@softfail.example
    To: away@strict.test
    Message-ID: <"two words"@[192.0.2.1]>
    References: <first@elsewhere.test> (a comment)
    Subject: hello

    Hello.
< 250 2.0.0 *
log event=message verdict=pass spf=mailfrom:softfail*
log event=message verdict=discard check=auto_responders reason=auto-reply-unwanted mail_from=<> rcpt_to=alice@softfail.example
> MAIL FROM:<bounces+alice=pass.example@pass.example>
< 250 2.1.0 *
> RCPT TO:<away@strict.test>
< 250 2.1.5 *
message
    From: alice@softfail.example
    To: away@strict.test
    Message-ID: <verp@pass.example>
    Subject: hello

    Hello.
< 250 2.0.0 *
log event=message verdict=pass spf=mailfrom:pass*
log event=message verdict=pass check=auto_responders reason=auto-reply-wanted mail_from=<> rcpt_to=bounces+alice=pass.example@pass.example
delivered  -> bounces+alice=pass.example@pass.example
