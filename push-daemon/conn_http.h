/*
 * conn_http: reads a connection's request, and answers it or opens a stream. What is refused here
 * is refused before anything is asked of the database.
 */
#ifndef PUSH_CONN_HTTP_H
#define PUSH_CONN_HTTP_H

#include "common/str.h"
#include "conn.h"

/* More bytes of the request head have come. May close c. */
void conn_http_take(struct conn *c, struct slice bytes);

#endif
