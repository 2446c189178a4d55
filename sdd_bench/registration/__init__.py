"""Registration of one pair: similarity, resampling, optical flow, blur matching, misalignment analyser, anchor."""
