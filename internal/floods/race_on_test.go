//go:build race

package floods

const raceDetector = true
