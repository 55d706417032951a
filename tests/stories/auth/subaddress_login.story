# Who logs in with a subaddress is nobody else: the login is never shortened to the address before the delimiter.
submission ADDR=192.0.2.77 NAME=laptop.example
> EHLO laptop.example
< 250 *
login ceo+assistant@example.org
mail ceo+assistant@example.org -> friend@outside.test
message
    From: ceo+assistant@example.org
    Subject: own address

    Hello.
< 250 2.0.0 *
log event=message verdict=pass login=ceo+assistant@example.org
delivered ceo+assistant@example.org -> friend@outside.test
> MAIL FROM:<ceo@example.org>
< 250 2.1.0 *
> RCPT TO:<friend@outside.test>
< 550 5.7.1 *ceo+assistant@example.org may not send as ceo@example.org (ref {envelope})
log event=recipient verdict=reject check=auth_match reason=auth-match-mail-from ref={envelope}
> RSET
< 250 2.0.0 *
mail ceo+assistant@example.org -> friend@outside.test
message
    From: ceo@example.org
    Subject: the chief's address

    Hello.
< 550 5.7.1 *ceo+assistant@example.org may not send as ceo@example.org (ref {header})
log event=message verdict=reject check=auth_match reason=auth-match-header-from ref={header}
