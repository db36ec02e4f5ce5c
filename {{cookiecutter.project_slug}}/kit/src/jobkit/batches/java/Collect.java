/*
 * Collects texts into batches, so that Python is called once for many of them. It has no state: before each checkpoint
 * barrier, each watermark and the end of the input it passes on what it holds, so no record is in it when a snapshot is taken.
 *
 * Flink compiles this file when the job starts, as it does with what the SQL planner generates; Janino's Java has no type
 * arguments. A batch is
 *   0, the texts' bytes, separated by '\n'                           where no text has a '\n' in it, and none is alone and empty
 *   1, how many texts (4 bytes), the length of each (4), their bytes  otherwise
 * in big-endian order.
 */
public final class Collect extends org.apache.flink.streaming.api.operators.AbstractStreamOperator
    implements org.apache.flink.streaming.api.operators.OneInputStreamOperator,
        org.apache.flink.streaming.api.operators.BoundedOneInput,
        org.apache.flink.streaming.runtime.tasks.ProcessingTimeService.ProcessingTimeCallback {

  private static final int MOST_BYTES = 1 << 23;

  private final int mostTexts;
  private final long mostMillis;

  private final java.util.ArrayList texts = new java.util.ArrayList();
  private int bytes = 0;
  private boolean separable = true;
  private boolean timerIsSet = false;
  private final org.apache.flink.streaming.runtime.streamrecord.StreamRecord batch =
      new org.apache.flink.streaming.runtime.streamrecord.StreamRecord(null);

  public Collect(
      Object[] references,
      org.apache.flink.streaming.runtime.tasks.StreamTask task,
      org.apache.flink.streaming.api.graph.StreamConfig config,
      org.apache.flink.streaming.api.operators.Output output,
      org.apache.flink.streaming.runtime.tasks.ProcessingTimeService time) {
    this.mostTexts = ((Integer) references[0]).intValue();
    this.mostMillis = ((Number) references[1]).longValue();
    this.setup(task, config, output);
    this.processingTimeService = time;
  }

  public void processElement(org.apache.flink.streaming.runtime.streamrecord.StreamRecord element) throws Exception {
    String text = (String) element.getValue();
    texts.add(text);
    bytes += text.length();
    separable = separable && text.indexOf('\n') < 0;
    if (texts.size() >= mostTexts || bytes >= MOST_BYTES || mostMillis == 0) {
      flush();
    } else if (!timerIsSet) {
      timerIsSet = true;
      processingTimeService.registerTimer(processingTimeService.getCurrentProcessingTime() + mostMillis, this);
    }
  }

  public void onProcessingTime(long time) throws Exception {
    timerIsSet = false;
    flush();
  }

  public void prepareSnapshotPreBarrier(long checkpoint) throws Exception {
    flush();
  }

  public void processWatermark(org.apache.flink.streaming.api.watermark.Watermark mark) throws Exception {
    flush();
    super.processWatermark(mark);
  }

  public void processWatermarkStatus(org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus status) throws Exception {
    flush();
    super.processWatermarkStatus(status);
  }

  public void endInput() throws Exception {
    flush();
  }

  private void flush() throws Exception {
    int count = texts.size();
    if (count == 0) {
      return;
    }
    byte[] all = separable && bytes > 0 ? separated(count) : counted(count);
    texts.clear();
    bytes = 0;
    separable = true;
    output.collect(batch.replace(all));
  }

  private byte[] separated(int count) {
    byte[] all = new byte[bytes + count];
    int place = 1;
    for (int i = 0; i < count; i++) {
      if (i > 0) {
        all[place++] = '\n';
      }
      place = copy((String) texts.get(i), all, place);
    }
    return all;
  }

  private byte[] counted(int count) {
    byte[] all = new byte[bytes + 4 * count + 5];
    java.nio.ByteBuffer head = java.nio.ByteBuffer.wrap(all);
    head.put((byte) 1).putInt(count);
    int place = 4 * count + 5;
    for (int i = 0; i < count; i++) {
      String text = (String) texts.get(i);
      head.putInt(text.length());
      place = copy(text, all, place);
    }
    return all;
  }

  /*
   * Each character is a byte: the texts are in ISO 8859-1. The method of String's is the only one that does not copy twice; of
   * a character that is no byte it would take the lower half without a word.
   */
  private static int copy(String text, byte[] into, int place) {
    int length = text.length();
    int all = 0;
    for (int i = 0; i < length; i++) {
      all |= text.charAt(i);
    }
    if (all > 255) {
      throw new IllegalArgumentException(
          "jobkit.batches.read takes texts in ISO 8859-1, of which each character is a byte. Found: a text with others, such as those that"
              + " SimpleStringSchema() makes. Give the source SimpleStringSchema(\"ISO-8859-1\"); texts from elsewhere are turned by"
              + " .map(lambda text: text.encode().decode(BYTES_AS_TEXT), Types.STRING()).");
    }
    text.getBytes(0, length, into, place);
    return place + length;
  }
}
