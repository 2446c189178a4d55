"""One pair, arrays in and arrays out: similarity, sampling, flow, blur matching, analyser, anchor."""
