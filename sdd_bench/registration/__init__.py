"""Registration of one pair: similarity, sampling, flow, blur matching, analyser, anchor."""
