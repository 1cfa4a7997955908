// A sequence that is asked for by name must be the one that the weights take.
//
// RUN: mxfp4-opt %s --mxfp4-lower-decode=sequence=fast --split-input-file --verify-diagnostics
// RUN: not mxfp4-opt %s --mxfp4-lower-decode=sequence=exact --split-input-file 2>&1 | FileCheck %s --check-prefix=EXACT
// RUN: not mxfp4-opt %s --mxfp4-lower-decode=sequence=quick --split-input-file 2>&1 | FileCheck %s --check-prefix=QUICK

// EXACT: is asked for decode sequence 'exact', but weights of type '!mxfp4.block<spread, folded>' take 'fast'
// EXACT: is asked for decode sequence 'exact', but weights of type '!mxfp4.block<nibble, folded>' take 'plain-fast'
// EXACT: is asked for decode sequence 'exact', but weights of type '!mxfp4.block<nibble, raw>' take 'plain'
// QUICK: is asked for decode sequence 'quick', but weights of type '!mxfp4.block<spread, folded>' take 'fast'

func.func @allowed(%c: i32, %s: i32) -> vector<2xbf16> {
  %r:4 = mxfp4.decode %c, %s step 0 : !mxfp4.block<spread, folded>
  return %r#0 : vector<2xbf16>
}

// -----

// Scales that packing has not proved small.
func.func @raw(%c: i32, %s: i32) -> vector<2xbf16> {
  // expected-error @below {{is asked for decode sequence 'fast', but weights of type '!mxfp4.block<spread, raw>' take 'exact'}}
  %r:4 = mxfp4.decode %c, %s step 0 : !mxfp4.block<spread, raw>
  return %r#0 : vector<2xbf16>
}

// -----

func.func @nibble_folded(%c: i32, %s: i32) -> vector<2xbf16> {
  // expected-error @below {{is asked for decode sequence 'fast', but weights of type '!mxfp4.block<nibble, folded>' take 'plain-fast'}}
  %r:4 = mxfp4.decode %c, %s step 0 : !mxfp4.block<nibble, folded>
  return %r#0 : vector<2xbf16>
}

// -----

func.func @nibble_raw(%c: i32, %s: i32) -> vector<2xbf16> {
  // expected-error @below {{is asked for decode sequence 'fast', but weights of type '!mxfp4.block<nibble, raw>' take 'plain'}}
  %r:4 = mxfp4.decode %c, %s step 0 : !mxfp4.block<nibble, raw>
  return %r#0 : vector<2xbf16>
}
