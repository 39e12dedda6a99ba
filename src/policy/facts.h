/* facts: the variables that a server fills in or asks for, by number. */
#ifndef POLICY_FACTS_H
#define POLICY_FACTS_H

/* LIST */
#define FACTS(X)                                                                                   \
	X(smtpPort)                                                                                \
	X(smtpIp)                                                                                  \
	X(remoteSmtpPort)                                                                          \
	X(remoteSmtpIp)                                                                            \
	X(remoteSmtpHost)                                                                          \
	X(listener)                                                                                \
	X(hour)                                                                                    \
	X(weekday)                                                                                 \
	X(smtpGreeting)                                                                            \
	X(allowStartTLS)                                                                           \
	X(allow8BitMime)                                                                           \
	X(allowBinaryData)                                                                         \
	X(allowPipelining)                                                                         \
	X(allowSMTPUTF8)                                                                           \
	X(maxErrors)                                                                               \
	X(maxAuthErrors)                                                                           \
	X(plainConnAuthTypes)                                                                      \
	X(secureConnAuthTypes)                                                                     \
	X(isSSLConnection)                                                                         \
	X(tlsVersion)                                                                              \
	X(tlsCipher)                                                                               \
	X(tlsClientSubject)                                                                        \
	X(ehloHost)                                                                                \
	X(isESMTP)                                                                                 \
	X(authName)                                                                                \
	X(authUser)                                                                                \
	X(authPrincipal)                                                                           \
	X(authMechanism)                                                                           \
	X(isAuthenticated)                                                                         \
	X(mailCount)                                                                               \
	X(totalMailSize)                                                                           \
	X(queueId)                                                                                 \
	X(mailFrom)                                                                                \
	X(mailFromUser)                                                                            \
	X(mailFromDomain)                                                                          \
	X(declaredSize)                                                                            \
	X(senderMatchesAuth)                                                                       \
	X(localDelivery)                                                                           \
	X(remoteDelivery)                                                                          \
	X(maxRcptCount)                                                                            \
	X(maxDataSize)                                                                             \
	X(maxReceivedHeaders)                                                                      \
	X(rcptTo)                                                                                  \
	X(rcptToUser)                                                                              \
	X(rcptToDomain)                                                                            \
	X(rcpts)                                                                                   \
	X(headerNames)                                                                             \
	X(fromAddress)                                                                             \
	X(fromDomain)                                                                              \
	X(fromMatchesAuth)                                                                         \
	X(bodyChunk)                                                                               \
	X(mailSize)                                                                                \
	X(bodyText)                                                                                \
	X(attachmentNames)                                                                         \
	X(attachmentTypes)                                                                         \
	X(mimeAmbiguous)                                                                           \
	X(mimeAmbiguities)                                                                         \
	X(SPFResult)                                                                               \
	X(SPFHeloResult)                                                                           \
	X(SPFExplanation)                                                                          \
	X(SPFPrefix)                                                                               \
	X(reverseDNSResult)                                                                        \
	X(DNSBLServer)                                                                             \
	X(DNSBLResult)                                                                             \
	X(DNSBLExplanation)                                                                        \
	X(rateCount)                                                                               \
	X(messageAge)

enum fact {
#define X(name) FACT_##name,
	FACTS(X)
#undef X
	    FACT_COUNT
};

#endif
