package protocol

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
)

// SignRequest returns auth_signature for a request to the HTTP API: the
// hexadecimal HMAC-SHA256 of the upper-case method, the path and the query, each
// on a line. The query is every parameter but auth_signature, keys in lower
// case, sorted by key, values not escaped.
func SignRequest(secret, method, path string, query url.Values) string {
	pairs := make([]string, 0, len(query))
	for key, values := range query {
		if key == "auth_signature" {
			continue
		}
		for _, v := range values {
			pairs = append(pairs, strings.ToLower(key)+"="+v)
		}
	}
	slices.SortStableFunc(pairs, func(a, b string) int {
		ka, _, _ := strings.Cut(a, "=")
		kb, _, _ := strings.Cut(b, "=")
		return strings.Compare(ka, kb)
	})
	return sign(secret, strings.ToUpper(method)+"\n"+path+"\n"+strings.Join(pairs, "&"))
}

// SignChannel returns the auth value of a subscription, "key:signature".
// channelData is the channel_data of a presence channel and else empty.
func SignChannel(key, secret, socketID, channel, channelData string) string {
	text := socketID + ":" + channel
	if channelData != "" {
		text += ":" + channelData
	}
	return key + ":" + sign(secret, text)
}

// SignUser returns the auth value of a sign-in, "key:signature".
func SignUser(key, secret, socketID, userData string) string {
	return key + ":" + sign(secret, socketID+"::user::"+userData)
}

// SignWebhook returns X-Pusher-Signature for the body of a webhook.
func SignWebhook(secret string, body []byte) string { return sign(secret, string(body)) }

// BodyMD5 returns the hexadecimal MD5 of a request body. MD5 is the API's
// choice: it ties the body to the signature of the query, so whoever can make
// two bodies of one digest must be the signer himself.
func BodyMD5(body []byte) string {
	sum := md5.Sum(body)
	return hex.EncodeToString(sum[:])
}

// Equal compares two signatures in a time that doesn't tell where they differ.
func Equal(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }

func sign(secret, text string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}
